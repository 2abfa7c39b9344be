"""A client of the Container Runtime Interface, as the kubelet is one."""
import grpc
import runtime_pb2
from google.protobuf import symbol_database


class Client:
    """Each call of runtime.proto is a method, whose arguments are the fields of its request.

    A field that is a message takes a dictionary: client.PullImage(image={"image": "127.0.0.1:5000/test:1"}).
    """

    def __init__(self, socket):
        self._address = "unix:" + socket
        for service in runtime_pb2.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                setattr(self, method.name, self._call(f"/{service.full_name}/{method.name}", method))

    def _call(self, path, method):
        database = symbol_database.Default()
        request, response = database.GetPrototype(method.input_type), database.GetPrototype(method.output_type)

        def call(**fields):
            # Each call has a connection of its own: one to a containerd that was killed would fail the next call.
            with grpc.insecure_channel(self._address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                send = channel.unary_unary(path, request.SerializeToString, response.FromString)
                return send(request(**fields), timeout=120, wait_for_ready=True)

        return call
