"""Build steps: compiles ``proto/`` and two libraries in C; all else is in ``setup.cfg``."""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PROTO = ROOT / "proto"
DESCRIPTOR_SET = ROOT / "mlmd_lineage" / "_proto.binpb"


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


class BuildWithProtos(build_py):
    """``build_py`` for wheels and editable installs alike: both read the source tree."""

    def run(self) -> None:
        """Compile first, so that the result is package data like any other."""
        compile_protos()
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
    },
    ext_modules=[
        # Without a compiler, bfs.py and sha256.py do the same in Python, slower.
        Extension(
            f"mlmd_lineage.{name}", [f"mlmd_lineage/{name.replace('.', '/')}.c"], optional=True
        )
        for name in ("lineage._bfs", "audit.records._sha256")
    ],
)
