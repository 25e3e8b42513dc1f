/// \file
/// Core exceptions become the package's own, with the same names on both sides.
#include "bindings.h"
#include "core/error.h"

void bind_errors(nb::module_ &)
{
   nb::register_exception_translator([](const std::exception_ptr &thrown, void *) {
      auto raise = [](const char *name, const char *text) {
         const nb::object type = nb::module_::import_("tmva_lstm_plugin.errors").attr(name);
         PyErr_SetString(type.ptr(), text);
      };
      try {
         std::rethrow_exception(thrown);
      } catch (const tmva_lstm::ModelError &error) {
         raise("ModelFileError", error.what());
      } catch (const tmva_lstm::MemoryError &error) {
         raise("MemoryLimitError", error.what());
      } catch (const tmva_lstm::ArgumentError &error) {
         raise("InputError", error.what());
      } catch (const tmva_lstm::Error &error) {
         raise("EngineError", error.what());
      }
   });
}
