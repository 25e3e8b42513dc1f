#ifdef __CLING__

#pragma link off all globals;
#pragma link off all classes;
#pragma link off all functions;
#pragma link C++ nestedclasses;

#pragma link C++ namespace TMVA;
#pragma link C++ enum TMVA::EMsgType;
#pragma link C++ class TMVA::ClassInfo;
#pragma link C++ class TMVA::ClassifierFactory;
#pragma link C++ class TMVA::Config;
#pragma link C++ class TMVA::Config::IONames;
#pragma link C++ class TMVA::Config::VariablePlotting;
#pragma link C++ class TMVA::Configurable;
#pragma link C++ class TMVA::DataLoader;
#pragma link C++ class TMVA::DataSet;
#pragma link C++ class TMVA::DataSetInfo;
#pragma link C++ class TMVA::Event;
#pragma link C++ class TMVA::Factory;
#pragma link C++ class TMVA::IMethod;
#pragma link C++ class TMVA::MethodBase;
#pragma link C++ class TMVA::MsgLogger;
#pragma link C++ class TMVA::Rank;
#pragma link C++ class TMVA::Ranking;
#pragma link C++ class TMVA::Reader;
#pragma link C++ struct TMVA::Results;
#pragma link C++ class TMVA::ROCCurve;
#pragma link C++ class TMVA::Timer;
#pragma link C++ class TMVA::Tools;
#pragma link C++ class TMVA::TrainingHistory;
#pragma link C++ class TMVA::TransformationHandler;
#pragma link C++ class TMVA::Types;
#pragma link C++ class TMVA::VariableInfo;
#pragma link C++ function TMVA::gConfig;
#pragma link C++ function TMVA::gTools;

#endif
