/// \file
/// Knows the data set descriptions of one DataLoader or Reader and has their events built when they are first asked for.
#ifndef ROOT_TMVA_DataSetManager
#define ROOT_TMVA_DataSetManager

#include "TString.h"

#include <memory>
#include <vector>

namespace TMVA {

class DataInputHandler;
class DataSet;
class DataSetInfo;
class MsgLogger;

class DataSetManager {
public:
   explicit DataSetManager(DataInputHandler &dataInput);
   ~DataSetManager();
   DataSetManager(const DataSetManager &) = delete;
   DataSetManager &operator=(const DataSetManager &) = delete;

   /// Builds the events of a data set; the DataSetInfo that asks owns them.
   DataSet *CreateDataSet(const TString &name);
   /// Null when there is none of this name.
   DataSetInfo *GetDataSetInfo(const TString &name);
   /// Registers a description that stays with the caller; one of the same name that is already here wins.
   DataSetInfo &AddDataSetInfo(DataSetInfo &info);
   /// Registers a description and takes it over.
   DataSetInfo &TakeDataSetInfo(std::unique_ptr<DataSetInfo> info);

   DataInputHandler &DataInput() { return fDataInput; }

private:
   MsgLogger &Log() const { return *fLogger; }

   DataInputHandler &fDataInput;                   //!
   std::vector<DataSetInfo *> fKnown;              //! also those of others
   std::vector<std::unique_ptr<DataSetInfo>> fOwn; //!
   std::unique_ptr<MsgLogger> fLogger;             //!
};

} // namespace TMVA

#endif
