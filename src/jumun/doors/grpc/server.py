"""The server: where it listens, what it bounds, health and reflection."""

from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from jumun.doors.grpc.gen import desk_pb2, desk_pb2_grpc, order_pb2, order_pb2_grpc
from jumun.limits import MESSAGE_BYTES_MAX, REPLY_BYTES_MAX, RPCS_MAX
from jumun.model.errors import ConfigError

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # two services on one port would share the callers between two books
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", REPLY_BYTES_MAX),
)
SERVICES: Final = (
    order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name,
    desk_pb2.DESCRIPTOR.services_by_name["Desk"].full_name,
)


class GrpcDoor:
    """One listening server. `start` before the engine starts: callers are told that it is not ready yet."""

    def __init__(self, order_service: object, desk_service: object) -> None:
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs lack it
        self._server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=RPCS_MAX)
        order_pb2_grpc.add_OrderServiceServicer_to_server(order_service, self._server)  # type: ignore[no-untyped-call]
        desk_pb2_grpc.add_DeskServicer_to_server(desk_service, self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), self._server
        )
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen, not serving yet; raises ConfigError when the port is taken. `port` is then known."""
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise ConfigError(
                f"gRPC cannot listen on {host}:{port}, another program is there; stop it or set OMS_GRPC_PORT"
            ) from error
        await self.set_serving(serving=False)
        await self._server.start()

    async def set_serving(self, *, serving: bool) -> None:
        """Tell health checks whether new orders are taken."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls; those inside may end within `grace_s`."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
