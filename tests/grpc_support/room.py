"""The service of tests/dialect/protos/room.proto by another implementation of gRPC: Google's, in Python.

Usage: room.py DESCRIPTORS; prints its port.
"""
import base64
import importlib
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

pool = descriptor_pool.Default()
with open(sys.argv[1], "rb") as file:
    for known in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        if known.name.startswith("google/protobuf/"):
            importlib.import_module(known.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        else:
            pool.AddSerializedFile(known.SerializeToString())
service = pool.FindServiceByName("room.v1.Room")
kind = message_factory.GetMessageClass


def echo(request, context):
    return request


def greet(request, context):
    return type(request)(value="hey " + request.value)


def tell(request, context):
    told = kind(pool.FindMessageTypeByName("room.v1.Told"))()
    for key, value in context.invocation_metadata():
        told.metadata[key] = value if isinstance(value, str) else base64.b64encode(value).decode().rstrip("=")
    # What the library keeps for itself.
    if (left := context.time_remaining()) is not None:
        told.metadata["grpc-timeout"] = f"{int(left * 1000)}m"
    context.send_initial_metadata((("x-head", "one"), ("x-head", "two")))
    context.set_trailing_metadata((("x-tail", "end"), ("x-tail-bin", b"abc")))
    return told


def fail(request, context):
    codes = {code.value[0]: code for code in grpc.StatusCode}
    context.abort(codes[request.code], request.message)


def count(request, context):
    number = kind(pool.FindMessageTypeByName("room.v1.Number"))
    for value in range(request.first, request.last + 1):
        yield number(value=value)


def total(requests, context):
    number = kind(pool.FindMessageTypeByName("room.v1.Number"))
    return number(value=sum(request.value for request in requests))


def chat(requests, context):
    yield from requests


HANDLERS = {"Echo": echo, "Greet": greet, "Tell": tell, "Fail": fail, "Count": count, "Sum": total, "Chat": chat}


def handler(method):
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]
    return make(
        HANDLERS[method.name],
        request_deserializer=kind(method.input_type).FromString,
        response_serializer=kind(method.output_type).SerializeToString,
    )


server = grpc.server(futures.ThreadPoolExecutor(8))
methods = {method.name: handler(method) for method in service.methods}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("room.v1.Room", methods),))
well = health.HealthServicer()
well.set("room.v1.Ill", 2)
health_pb2_grpc.add_HealthServicer_to_server(well, server)
reflection.enable_server_reflection(("room.v1.Room", reflection.SERVICE_NAME), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
