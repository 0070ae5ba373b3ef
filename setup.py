"""Compile ``proto/`` and the graph's walk on the way to a wheel; all else is in ``setup.cfg``."""

from __future__ import annotations

from pathlib import Path

from setuptools import Extension, setup
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


setup(
    cmdclass={"build_py": BuildWithProtos},
    ext_modules=[
        # Not a module: walk.py calls it through ctypes. Without a compiler, it does without.
        Extension("mlmd_lineage.lineage._bfs", ["mlmd_lineage/lineage/_bfs.c"], optional=True)
    ],
)
