"""What one core can do at best, measured for each instruction set: fused multiply-adds a second, and bytes read a second."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("fma_peak.cpp")
INSTRUCTION_SETS = ("sse2", "avx2", "avx512", "neon")


class PeakMeter:
    """Measures; the little program is compiled when one is made.

    Raises
    ------
    RuntimeError
        There is no C++ compiler, or it refuses the program.
    """

    def __init__(self) -> None:
        compiler = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
        if compiler is None:
            raise RuntimeError("no C++ compiler was found for the peak of the core; name one with CXX=")
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "fma_peak.so"
            command = [*compiler.split(), "-O2", "-std=c++17", "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
            functions = ctypes.CDLL(str(library))
        self._function = functions.peak_flops
        self._function.restype = ctypes.c_double
        self._function.argtypes = [ctypes.c_int, ctypes.c_double]
        self._read_rate = functions.read_rate
        self._read_rate.restype = ctypes.c_double
        self._read_rate.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_double]
        self.readings: dict[str, list[float]] = {}

    def read(self, seconds: float = 0.05) -> None:
        """Measure each instruction set that the processor has for so many seconds."""
        for number, name in enumerate(INSTRUCTION_SETS):
            flops = self._function(number, seconds)
            if flops > 0:
                self.readings.setdefault(name, []).append(flops)

    def read_rate(self, size: int, seconds: float = 0.05) -> float:
        """Bytes a second one core reads of an array of `size` bytes, over and over; the best of all tries, 0 if unknown."""
        return max(self._read_rate(n, size, seconds / 5) for n in range(len(INSTRUCTION_SETS)) for _ in range(5))

    @property
    def by_instruction_set(self) -> dict[str, float]:
        """The best reading of each instruction set so far: what else runs on the machine can only lower one."""
        return {name: max(values) for name, values in self.readings.items()}

    @property
    def best(self) -> float:
        """The core's peak: that of its best instruction set, in operations a second."""
        return max(self.by_instruction_set.values())
