"""The server: where it listens, what it bounds, health and reflection."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from jumun.doors.grpc.gen import desk_pb2, desk_pb2_grpc, order_pb2, order_pb2_grpc
from jumun.limits import (
    DRAIN_LOOK_S,
    DRAIN_LOOKS,
    DRAIN_MAX_S,
    MESSAGE_BYTES_MAX,
    PENDING_MAX,
    REPLY_BYTES_MAX,
    RPCS_MAX,
    STREAM_GRACE_S,
)
from jumun.model.errors import ConfigError

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # two services on one port would share the callers between two books
    # Behind these the library cancels calls at random, without a word; RPCS_MAX refuses with a code instead.
    ("grpc.server.max_pending_requests", PENDING_MAX),
    ("grpc.server.max_pending_requests_hard_limit", PENDING_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", REPLY_BYTES_MAX),
)
SERVICES: Final = (
    order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name,
    desk_pb2.DESCRIPTOR.services_by_name["Desk"].full_name,
)


class Inside(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts the calls that came and those still inside, so that a stop cuts none of them off."""

    def __init__(self) -> None:
        self.count = 0
        self.moves = 0  # calls that came or ended

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Count a call. Streams may stay open for ever: their orders are counted by the gate instead."""
        handler = await continuation(handler_call_details)
        self.moves += 1
        if handler is None or handler.unary_unary is None:
            return handler
        behind = handler.unary_unary

        async def counted(request: object, context: object) -> object:
            self.count += 1
            try:
                return await behind(request, context)
            finally:
                self.count -= 1
                self.moves += 1

        return handler._replace(unary_unary=counted)

    async def drained(self) -> None:
        """Wait until nobody is inside and nobody came at DRAIN_LOOKS looks behind each other.

        Callers who never pause are waited for DRAIN_MAX_S longer than those inside: by then each of them has
        been told to go away.
        """
        loop = asyncio.get_running_loop()
        end_s, before, quiet = loop.time() + DRAIN_MAX_S, self.moves, 0
        while self.count or (quiet < DRAIN_LOOKS and loop.time() < end_s):
            await asyncio.sleep(DRAIN_LOOK_S)
            quiet = quiet + 1 if self.moves == before else 0
            before = self.moves


class GrpcDoor:
    """One listening server. `start` before the engine starts: callers are told that it is not ready yet."""

    def __init__(self, order_service: object, desk_service: object) -> None:
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs lack it
        self._inside = Inside()
        self._server = grpc.aio.server(
            options=OPTIONS, maximum_concurrent_rpcs=RPCS_MAX, interceptors=(self._inside,)
        )
        order_pb2_grpc.add_OrderServiceServicer_to_server(order_service, self._server)  # type: ignore[no-untyped-call]
        desk_pb2_grpc.add_DeskServicer_to_server(desk_service, self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), self._server
        )
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen, not serving yet; raises ConfigError when it cannot. `port` is then known."""
        _require_address(host)
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

    async def drain(self) -> None:
        """Tell health checks that it is over, and wait until every call inside has its answer.

        The gate is closed by now: who comes meanwhile is told NOT_READY. The server itself cuts off what it
        has not read yet when it stops, so it stops behind this.
        """
        await self._health.enter_graceful_shutdown()
        await self._inside.drained()

    async def stop(self) -> None:
        """Take no more calls; open streams end."""
        await self._server.stop(STREAM_GRACE_S)


def _require_address(host: str) -> None:
    """Tell an address that is not ours from a port that is taken: the server itself does not."""
    try:
        socket.create_server((host, 0)).close()
    except OSError as error:
        raise ConfigError(
            f"OMS_HOST {host!r} is no address of this machine ({error.strerror}); set OMS_HOST=127.0.0.1"
        ) from error
