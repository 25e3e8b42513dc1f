#include "TMVA/DataSetManager.h"

#include "TMVA/DataInputHandler.h"
#include "TMVA/DataSet.h"
#include "TMVA/DataSetFactory.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"

namespace TMVA {

DataSetManager::DataSetManager(DataInputHandler &dataInput)
   : fDataInput(dataInput), fLogger(new MsgLogger("DataSetManager", kINFO))
{
}

DataSetManager::~DataSetManager() = default;

DataSet *DataSetManager::CreateDataSet(const TString &name)
{
   DataSetInfo *info = GetDataSetInfo(name);
   if (!info)
      Log() << kFATAL << "DataSetInfo object '" << name << "' not found" << Endl;
   return DataSetFactory().CreateDataSet(*info, fDataInput);
}

DataSetInfo *DataSetManager::GetDataSetInfo(const TString &name)
{
   for (DataSetInfo *info : fKnown)
      if (name == info->GetName())
         return info;
   return nullptr;
}

DataSetInfo &DataSetManager::AddDataSetInfo(DataSetInfo &info)
{
   info.SetDataSetManager(this);
   if (DataSetInfo *known = GetDataSetInfo(info.GetName()))
      return *known;
   fKnown.push_back(&info);
   return info;
}

DataSetInfo &DataSetManager::TakeDataSetInfo(std::unique_ptr<DataSetInfo> info)
{
   DataSetInfo &kept = AddDataSetInfo(*info);
   if (&kept == info.get())
      fOwn.push_back(std::move(info));
   return kept;
}

} // namespace TMVA
