/// \file
/// Signal efficiency against background rejection of a classifier, from the values of weighted events.
#ifndef ROOT_TMVA_ROCCurve
#define ROOT_TMVA_ROCCurve

#include "Rtypes.h"

#include <memory>
#include <vector>

class TGraph;

namespace TMVA {

/// Every distinct value is a cut; events of equal value are taken together, so that ties count half. Negative weights are
/// summed as they are. When the weights of signal or of background do not sum to something positive there is no curve: the
/// integral is 0.
class ROCCurve {
public:
   ROCCurve(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal, const std::vector<Float_t> &weights);
   ROCCurve(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal)
      : ROCCurve(values, isSignal, std::vector<Float_t>(values.size(), 1))
   {
   }
   ~ROCCurve();

   /// Signal efficiency at a background efficiency, linear between points.
   /// The numbers of points of these three are those of TMVA's signature; all points are always used.
   Double_t GetEffSForEffB(Double_t effB, const UInt_t points = 41);
   Double_t GetEffBForEffS(Double_t effS) const; ///< the reverse
   /// Area under the curve.
   Double_t GetROCIntegral(const UInt_t points = 41);
   /// Background rejection (y) against signal efficiency (x), from signal efficiency 1 to 0. Owned by this object.
   TGraph *GetROCCurve(const UInt_t points = 100);

private:
   std::vector<Double_t> fEffS, fEffB; ///< efficiencies above each cut, from (1, 1) to (0, 0)
   std::unique_ptr<TGraph> fGraph;
};

} // namespace TMVA

#endif
