"""Books, trains and tests an LSTM with TMVA from Python, on the toys of train_lstm.C: the same events give the same weights.

Usage: python macros/train_lstm.py [--output FILE] [--events N] [--epochs N] [--options STRING]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tmva_lstm_plugin
from tmva_lstm_plugin import tmva
from tmva_lstm_plugin.errors import LSTMError


def train(output: str, events: int, epochs: int, options: str) -> None:
    """Do what train_lstm.C does."""
    tmva_lstm_plugin.register()
    import ROOT

    ROOT.gROOT.SetBatch(True)
    ROOT.gInterpreter.Declare(f'#include "{Path(__file__).resolve().parent / "lstm_macros.h"}"')
    toys = ROOT.lstm_macros
    T, D = int(toys.T), int(toys.D)
    signal, background = toys.make_toys("signal", True, events, 1), toys.make_toys("background", False, events, 2)
    try:
        file = ROOT.TFile.Open(output, "RECREATE")  # raises, or gives a null pointer in older versions of ROOT
    except OSError:
        file = None
    if not file:
        sys.exit(f"train_lstm.py: cannot write '{output}'")

    factory = ROOT.TMVA.Factory("train_lstm", file, "!V:!Silent:Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader("dataset")
    if hasattr(loader, "AddVariablesArray"):
        loader.AddVariablesArray("vars", T * D)
    else:  # before ROOT 6.20
        for i in range(T * D):
            loader.AddVariable(f"vars[{i}]", "F")
    loader.AddSpectator("length", "", "")
    loader.AddSignalTree(signal, 1.0)
    loader.AddBackgroundTree(background, 1.0)
    n_train = events * 4 // 5
    tmva.prepare(loader, nTrain_Signal=n_train, nTrain_Background=n_train, SplitMode="Random", NormMode="NumEvents")

    tmva.book(
        factory,
        loader,
        "LSTM",
        options,
        ErrorStrategy="CROSSENTROPY",
        VarTransform="None",
        WeightInitialization="XAVIERUNIFORM",
        ValidationSize=0.2,
        RandomSeed=1234,
        InputLayout=f"{T}|{D}",
        Length="length",
        Layout=f"LSTM|10|{D}|{T}|0|1,RESHAPE|FLAT,DENSE|64|TANH,LINEAR",
        TrainingStrategy="LearningRate=1e-3,ConvergenceSteps=5,BatchSize=100,TestRepetitions=1,WeightDecay=1e-2,"
        f"Regularization=None,MaxEpochs={epochs},Optimizer=ADAM",
    )
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    area = factory.GetROCIntegral(loader, "LSTM")
    file.Close()
    print(
        f"train_lstm.py: area below the ROC curve {area:.6g}, weights in dataset/weights, output in {output}",
        flush=True,
    )


def main() -> None:
    """Read the command line, train, say what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", default="train_lstm.root", help="the file with histograms and trees")
    parser.add_argument("--events", type=int, default=2000, help="of signal, and as many of background")
    parser.add_argument("--epochs", type=int, default=20, help="of the training")
    parser.add_argument("--options", default="", help="more options of the method, with colons between them")
    arguments = parser.parse_args()
    try:
        train(arguments.output, arguments.events, arguments.epochs, arguments.options)
    except LSTMError as error:
        sys.exit(f"train_lstm.py: {error}")


if __name__ == "__main__":
    main()
