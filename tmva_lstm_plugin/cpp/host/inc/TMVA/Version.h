/// \file
/// The TMVA version whose file formats the embedded host writes and reads. It goes into every weights file.
#ifndef ROOT_TMVA_Version
#define ROOT_TMVA_Version

#define TMVA_RELEASE "4.2.1"
#define TMVA_RELEASE_DATE "Feb 5, 2015"
#define TMVA_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define TMVA_VERSION_CODE TMVA_VERSION(4, 2, 1)

/// Tells the host from a real TMVA at compile time.
#define TMVA_LSTM_EMBEDDED_HOST 1

#endif
