"""What TMVA's option strings have beside the options of a model: TMVA's own ways to say things, and its other defaults.

:data:`TMVA_ONLY` is the table of these.  Together with the spellings in :data:`tmva_lstm_plugin.model_options.MODEL_OPTIONS` it
names every key that the method ``LSTM`` accepts; a test compares both with the method's sources.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TMVA_DEFAULTS", "TMVA_ONLY", "TmvaOption"]


@dataclass(frozen=True)
class TmvaOption:
    """One key of TMVA's option strings that no option of a model stands for.

    Attributes
    ----------
    name : str
        The key.
    place : str
        Where it is given: ``"booking"``, the options of ``BookMethod``; ``"strategy"``, within ``TrainingStrategy``;
        ``"every method"``, an option of ``BookMethod`` that every method of TMVA has.
    values, default, meaning : str
        In words.
    """

    name: str
    place: str
    values: str
    default: str
    meaning: str


_TABLE = (
    TmvaOption("InputLayout", "booking", "T|D", "from the arrays the variables are declared as",
               "Steps, and features of a step: variable t*D+d is feature d of step t; variables beyond are event features."),
    TmvaOption("Layout", "booking",
               "LSTM|H|D|T|0|returnSequence (or GRU, RNN, BILSTM, BIGRU, BIRNN), RESHAPE|FLAT, POOL|MEAN, "
               "DENSE|width|ACTIVATION, LINEAR",
               "LSTM|32,LINEAR", "The layers, with commas between them; H alone is enough of one that returns its last step. "
               "A GRU may have |resetGateAfter behind returnSequence, 1 or 0; where no layer has it: 1 (MethodDL on a CPU: 0)."),
    TmvaOption("TrainingStrategy", "booking", "Key=value,Key=value,...", "see the keys",
               "How the training goes; phases, one after the other, have | between them."),
    TmvaOption("Architecture", "booking", "CPU, STANDARD", "CPU",
               "Where it runs; STANDARD is taken as CPU, all else is refused."),
    TmvaOption("Length", "booking", "a variable or spectator", "all T steps are true",
               "Where the number of true steps of an event is; what comes after them is padding and never computed."),
    TmvaOption("MaskValue", "booking", "a number", "no step is padding",
               "Steps at the end whose values are all this are padding."),
    TmvaOption("Resume", "booking", "true or false", "false",
               "Go on from the state that an earlier training of the same booking kept beside the weights, if there is one."),
    TmvaOption("Ranking", "booking", "true or false", "true",
               "Rank features and steps by permutation, in at most 10 % of the training time."),
    TmvaOption("Regularization", "strategy", "None, L1, L2", "None",
               "What WeightDecay is: without effect, or a penalty (l1, l2)."),
    TmvaOption("TestRepetitions", "strategy", "a whole number of at least 1", "1",
               "Accepted and without effect: the validation loss is computed after every epoch."),
    TmvaOption("Repetitions", "strategy", "anything", "", "Accepted and without effect, as in MethodDL."),
    TmvaOption("Multithreading", "strategy", "anything", "", "Accepted and without effect, as in MethodDL; see NumThreads."),
    TmvaOption("V", "every method", "true or false", "false", "Say more."),
    TmvaOption("VerbosityLevel", "every method", "Default, Debug, Verbose, Info, Warning, Error, Fatal", "Default",
               "How much is said."),
    TmvaOption("VarTransform", "every method", "None, N, D, P, U, G, ...", "None", "TMVA's transformations of the variables."),
    TmvaOption("H", "every method", "true or false", "false", "Print the help text."),
    TmvaOption("CreateMVAPdfs", "every method", "true or false", "false", "Make PDFs of the classifier's output."),
    TmvaOption("IgnoreNegWeightsInTraining", "every method", "true or false", "false",
               "Leave events of negative weight out of the training."),
)  # fmt: skip

#: The keys by name.
TMVA_ONLY: dict[str, TmvaOption] = {option.name: option for option in _TABLE}

#: Defaults that differ in TMVA from those in Python, by TMVA's key: MethodDL's.
TMVA_DEFAULTS: dict[str, str] = {
    "MaxEpochs": "50",
    "ConvergenceSteps": "10",
    "ValidationSize": "20%",
    "CheckpointEpochs": "0",
    "CheckpointMinutes": "0",
}
