"""Opening ROOT files: which files and trees are meant, what branches they have, and reading plain branches.

Everything uproot raises on the way is turned into an :class:`~tmva_lstm_plugin.errors.InputError` that names the file.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import awkward as ak
import fsspec
import numpy as np
import uproot
from uproot.source.file import MultithreadedFileSource

from .errors import InputError, LSTMError, MissingNameError, OptionError, near_miss

__all__ = ["Files", "Input", "OpenTree", "empty_array", "find_inputs", "open_tree"]

Files = Any  # str, path, a sequence of them, or a mapping from class name to one of these
_TREE_CLASSES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")


@dataclass(frozen=True)
class Input:
    """One file to read, the tree asked for (None: the only one), and the class its events belong to, if so given."""

    path: str
    tree: str | None = None
    class_index: int | None = None


def find_inputs(files: Files, tree: str | Mapping[str, str] | None) -> tuple[list[Input], tuple[str, ...]]:
    """Expand files, globs, ``file:tree`` and mappings from class names.

    Parameters
    ----------
    files : str, path, sequence of them, or mapping from class name to one of these
        Local paths, globs or URLs; ``file.root:tree`` names the tree as well.
    tree : str, mapping from class name to tree, or None
        Name of the tree; None takes the only one in each file.

    Returns
    -------
    inputs : list of Input
        In the order in which entries are counted.
    classes : tuple of str
        The class names of the mappings; empty when there is no mapping.

    Raises
    ------
    MissingNameError
        A file does not exist or a glob matches nothing.
    InputError
        No files, or a file given twice.
    OptionError
        Arguments of wrong type, or two mappings with different classes.
    """
    by_class = [m for m in (files, tree) if isinstance(m, Mapping)]
    classes = tuple(by_class[0]) if by_class else ()
    if len(by_class) == 2 and set(files) != set(tree or ()):
        raise OptionError(f"files has the classes {list(files)} and tree has {list(tree or ())}; give the same in both")
    inputs = []
    for index, name in enumerate(classes or (None,)):
        some = files[name] if isinstance(files, Mapping) else files
        wanted = tree[name] if isinstance(tree, Mapping) and name is not None else tree
        if wanted is not None and not (isinstance(wanted, str) and wanted):
            raise OptionError(f"tree is {wanted!r}, expected a name, a mapping from class to name, or None")
        for path, own_tree in _expand(some):
            inputs.append(Input(path, own_tree or wanted, index if classes else None))
    seen: dict[tuple[str, str | None], Input] = {}
    for item in inputs:
        key = (item.path if "://" in item.path else os.path.realpath(item.path), item.tree)
        if key in seen:
            raise InputError(
                f"file '{item.path}' is given twice (first as '{seen[key].path}'), which would count its events twice; "
                "give each file once, or a different tree for each class"
            )
        seen[key] = item
    return inputs, classes


def _expand(some: Any) -> list[tuple[str, str | None]]:
    if isinstance(some, (str, os.PathLike)):
        some = [some]
    if not isinstance(some, Iterable):
        raise OptionError(
            f"files is {some!r}, expected a path, a URL, a list of them, or a mapping from class name to them"
        )
    found: list[tuple[str, str | None]] = []
    for item in some:
        if not isinstance(item, (str, os.PathLike)):
            raise OptionError(f"files has {item!r}, expected a path or a URL")
        found += _expand_one(os.path.expanduser(os.fspath(item)))
    if not found:
        raise InputError("files is empty; give at least one ROOT file")
    return found


def _expand_one(text: str) -> list[tuple[str, str | None]]:
    if not text:
        raise OptionError("files has an empty name, expected a path or a URL")
    for path, tree in _splits(text):
        if re.search(r"[*?\[]", path) and not os.path.exists(path):
            matches = _glob(path)
            if matches:
                return [(m, tree) for m in matches]
        elif "://" in path or os.path.exists(path):
            return [(path, tree)]
    path = _splits(text)[-1][0]
    if re.search(r"[*?\[]", path):
        raise MissingNameError(
            f"no file matches '{path}'; check the pattern and the folder '{os.path.dirname(path) or '.'}'"
        )
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise MissingNameError(f"file '{path}' does not exist, nor does its folder; check the path")
    known = sorted(n for n in os.listdir(folder) if n.endswith(".root"))
    hint = near_miss(os.path.basename(path), known) if known else f"there are no .root files in '{folder}'"
    raise MissingNameError(f"file '{path}' does not exist; {hint}")


def _splits(text: str) -> list[tuple[str, str | None]]:
    # a colon may also belong to a URL's scheme or port, or to a file name: a URL is only split behind ".root", and on
    # local disks the whole text is tried first
    after_root = re.fullmatch(r"(.+\.root):([^:]+)", text)
    split: list[tuple[str, str | None]] = [(after_root[1], after_root[2])] if after_root else []
    if "://" in text:
        return split or [(text, None)]
    if not split and (last := re.fullmatch(r"(.+):([^:]+)", text)):
        split = [(last[1], last[2])]
    return [(text, None), *split]


def _glob(pattern: str) -> list[str]:
    if "://" not in pattern:
        return sorted(glob.glob(pattern, recursive=True))
    with _explained(f"cannot list '{pattern}'"):
        system, _, paths = fsspec.get_fs_token_paths(pattern)
        return sorted(system.unstrip_protocol(p) for p in paths)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn whatever the body raises into an InputError beginning with `what`."""
    try:
        yield
    except LSTMError:
        raise
    except Exception as error:  # uproot raises nearly any type on damaged bytes
        lines = str(error).strip().splitlines()
        detail = f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
        raise InputError(f"{what} ({detail})") from error


def open_tree(item: Input) -> OpenTree:
    """Open a file and find its tree.

    Parameters
    ----------
    item : Input
        File and tree.

    Returns
    -------
    OpenTree
        To be closed by the caller.

    Raises
    ------
    MissingNameError
        The file or the tree does not exist.
    InputError
        Not a ROOT file, truncated or corrupt, or several trees to choose from.
    """
    path = item.path
    # array and object caches would keep what was read alive; a memory map would count the file itself as memory used
    options: dict[str, Any] = {"array_cache": None, "object_cache": None}
    if "://" not in path:
        options |= {"handler": MultithreadedFileSource, "num_workers": 2}
        _check_magic(path)
    with _explained(f"cannot open '{path}': the file is truncated, corrupt or out of reach; fetch or write it again"):
        file = uproot.open({path: None}, **options)
    try:
        with _explained(
            f"cannot read the list of trees of '{path}': the file is truncated or corrupt; fetch or write it again"
        ):
            size = os.path.getsize(path) if "://" not in path else None
            if size is not None and size < file.file.fEND:
                raise InputError(
                    f"file '{path}' is truncated: it has {size} bytes and its header says {file.file.fEND}; fetch or"
                    " write it again"
                )
            kinds = file.classnames(recursive=True, cycle=False)
        name = _choose_tree(path, item.tree, kinds)
        with _explained(
            f"cannot read tree '{name}' of '{path}': the file is truncated or corrupt; fetch or write it again"
        ):
            return OpenTree(path, name, file, file[name])
    except BaseException:
        file.close()
        raise


def _check_magic(path: str) -> None:
    try:
        with open(path, "rb") as handle:
            magic = handle.read(4)
    except IsADirectoryError:
        raise InputError(
            f"'{path}' is a folder, expected a ROOT file; give '{os.path.join(path, '*.root')}' for all in it"
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot open '{path}': {error.strerror or error}; check the path and its permissions"
        ) from error
    if magic != b"root":
        found = "it is empty" if not magic else f"it begins with {magic!r}"
        raise InputError(
            f"'{path}' is not a ROOT file: {found}, expected b'root'; give a file written by ROOT or uproot"
        )


def _choose_tree(path: str, wanted: str | None, kinds: Mapping[str, str]) -> str:
    trees = [name for name, kind in kinds.items() if kind in _TREE_CLASSES]
    if wanted is None:
        if len(trees) == 1:
            return trees[0]
        if not trees:
            raise MissingNameError(f"'{path}' has no tree or RNTuple; {_listing(kinds)}")
        raise MissingNameError(
            f"'{path}' has {len(trees)} trees: {', '.join(map(repr, trees))}; say which with tree=..., or name one a"
            " class"
        )
    name = wanted.split(";")[0].strip("/")
    if name in trees:
        return wanted
    if name in kinds:
        raise InputError(
            f"'{wanted}' in '{path}' is a {kinds[name]}, expected a tree or RNTuple; {near_miss(name, trees)}"
        )
    raise MissingNameError(f"'{path}' has no tree '{wanted}'; {near_miss(name, trees)}")


def _listing(kinds: Mapping[str, str]) -> str:
    shown = ", ".join(f"'{name}' ({kind})" for name, kind in list(kinds.items())[:6])
    return f"it holds {shown}" if shown else "it holds nothing"


class OpenTree:
    """A tree or RNTuple of an open file.

    Attributes
    ----------
    path, name : str
        File and tree.
    n_entries : int
        How many entries it has.
    known : tuple of str
        Names of all branches or fields.
    """

    def __init__(self, path: str, name: str, file: Any, tree: Any) -> None:
        self.path, self.name = path, name
        self._file, self._tree = file, tree
        self.n_entries = int(tree.num_entries)
        self.is_ntuple = not isinstance(tree, uproot.TTree)
        self.known = tuple(dict.fromkeys(tree.keys(full_paths=False)))
        self._known = {*self.known, *tree.keys(full_paths=True)}
        self._forms: dict[str, ak.forms.Form] = {}
        if self.is_ntuple:
            # read by uproot on first use, and not meant for two threads at once
            tree.ntuple.cluster_summaries, tree.ntuple.page_link_list  # noqa: B018

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"

    def __enter__(self) -> OpenTree:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()

    def has(self, name: str) -> bool:
        """Whether there is a branch of that name."""
        return name in self._known

    def form(self, name: str) -> ak.forms.Form:
        """Return awkward's description of a branch, from metadata only.

        Raises
        ------
        InputError
            The branch is of a type that cannot be read as numbers.
        """
        if name not in self._forms:
            with _explained(
                f"{self}: branch '{name}' of type '{self.typename(name)}' cannot be read as numbers; leave it out"
            ):
                if self.is_ntuple:
                    form = self._tree.to_akform(filter_field=lambda field: field.path == name)[0]
                    for part in name.split("."):
                        form = _member(form, part)
                else:
                    branch = self._tree[name]
                    form = branch.interpretation.awkward_form(branch.file)
                self._forms[name] = form
        return self._forms[name]

    def typename(self, name: str) -> str:
        """Return the type of a branch as C++ spells it."""
        return str(self._tree[name].typename) or "record"

    def nbytes(self, name: str) -> int:
        """Return about how many bytes all values of a branch hold in memory."""
        if not self.is_ntuple:
            return int(self._tree[name].uncompressed_bytes)
        if self.n_entries == 0:
            return 0
        # the inverse of the only public question: how many entries are held by so much memory
        ample = 1 << 50
        return int(ample * self.n_entries / self._tree.num_entries_for(ample, filter_field=lambda f: f.path == name))

    def n_values(self, name: str) -> int:
        """Return about how many numbers a branch has."""
        kind = self.form(name).type
        while not isinstance(kind, (ak.types.NumpyType, ak.types.UnknownType)):
            kind = kind.content
        size = np.dtype(kind.primitive).itemsize if isinstance(kind, ak.types.NumpyType) else 1
        return self.nbytes(name) // size

    def block_nbytes(self, name: str) -> int:
        """Return about how many bytes are unpacked to get at any one value: a basket, or its part of a cluster."""
        blocks = len(self._tree.ntuple.cluster_summaries) if self.is_ntuple else self._tree[name].num_baskets
        return self.nbytes(name) // max(1, blocks)

    def boundaries(self, names: Iterable[str]) -> list[int]:
        """Return the entries at which the baskets of all `names`, or the clusters, begin, and how many there are."""
        if self.is_ntuple:
            starts = [int(c.num_first_entry) for c in self._tree.ntuple.cluster_summaries]
        else:
            wanted = {self._tree[n].object_path for n in names}
            starts = list(self._tree.common_entry_offsets(filter_branch=lambda b: b.object_path in wanted))
        return sorted({0, *(int(s) for s in starts), self.n_entries})

    def read(self, name: str, start: int, stop: int) -> ak.Array:
        """Read one branch for the entries from `start` up to `stop`.

        Raises
        ------
        InputError
            The bytes are damaged or missing.
        """
        what = f"{self}: branch '{name}' cannot be read for entries {start} to {stop - 1}"
        with _explained(f"{what}: the file is truncated or corrupt; fetch or write it again"):
            array = self._tree[name].array(entry_start=start, entry_stop=stop, library="ak", array_cache=None)
            # a slice of a cluster would keep all of the cluster in memory
            array = _filled(ak.to_packed(array))
            if len(array) != stop - start:
                raise InputError(f"{what}: found {len(array)} entries; the file is truncated or corrupt")
            if array.ndim > 1 and ak.any(ak.num(array, axis=1) < 0):
                raise InputError(f"{what}: an entry has a negative count; the file is corrupt")
        return array


def _member(form: Any, name: str) -> Any:
    """Step into the record member `name`, through the lists around it."""
    if isinstance(form, ak.forms.RecordForm):
        return form.content(name)
    if isinstance(form, ak.forms.ListOffsetForm):
        return form.copy(content=_member(form.content, name))
    raise InputError(f"'{name}' is not a member of {form.type}")


def empty_array(form: ak.forms.Form) -> ak.Array:
    """Return an array of that form without entries: expressions on it show the structure of their result."""
    return _filled(ak.Array(form.length_zero_array()))


def _filled(array: ak.Array) -> ak.Array:
    # a missing value of an optional field is as unusable as NaN, and treated alike from here on
    return ak.fill_none(array, np.nan, axis=-1) if "?" in str(array.type) else array
