"""gRPC reflection, by which tools such as grpcurl list a server's methods and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.server.backend import SERVICE

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool


def add_reflection(server: Any) -> None:
    """Add reflection of MLMD's service, the health service and reflection itself to a server."""
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

    pool = service_pool()
    names = [SERVICE]
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        names += [service.full_name for service in module.DESCRIPTOR.services_by_name.values()]
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)


def service_pool() -> DescriptorPool:
    """Return a pool that holds the service and its messages by MLMD's own names."""
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    for file in _proto.files():
        if file.package == _proto.WRITING:
            continue  # what is written in one transaction, and is no part of the service
        if file.package == _proto.WIRE:
            file.package = SERVICE.rpartition(".")[0]
            for message in file.message_type:
                _rename(message)
            for service in file.service:
                for method in service.method:
                    method.input_type = _name(method.input_type)
                    method.output_type = _name(method.output_type)
        pool.Add(file)
    return pool


def _rename(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name:  # only set for messages and enums
            field.type_name = _name(field.type_name)
    for nested in message.nested_type:
        _rename(nested)


def _name(name: str) -> str:
    return name.replace(f".{_proto.WIRE}.", f".{SERVICE.rpartition('.')[0]}.")
