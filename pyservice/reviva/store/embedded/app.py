"""The ASGI application: paths, users, and which way a request goes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from reviva.store.embedded import access, form
from reviva.store.embedded import request as requests
from reviva.store.embedded.asgi import Receive, Scope, Send
from reviva.store.embedded.body import Body, DisconnectedError
from reviva.store.embedded.engine import Engine
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.execution import Execution
from reviva.store.embedded.handles import Handles
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.request import Request
from reviva.store.embedded.response import Response
from reviva.store.embedded.statement import InsertHead
from reviva.store.embedded.users import Users

_ALIVE_PATHS = ("/ping", "/replicas_status")


class App:
    """Speaks ClickHouse's HTTP interface."""

    def __init__(self, engine: Engine, users: Users, limits: Limits) -> None:
        self._engine = engine
        self._users = users
        self._limits = limits
        self._handles = Handles(engine, limits)
        self._threads = ThreadPoolExecutor(
            # a statement has one thread, and needs another one to be stopped
            2 * (limits.max_concurrent_writes + limits.max_concurrent_queries),
            thread_name_prefix="clickhouse",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        method = scope["method"]
        if scope["path"] in _ALIVE_PATHS or (
            scope["path"] == "/" and method != "POST" and b"query=" not in scope["query_string"]
        ):
            await Response(send, self._engine, None, method).text(HTTPStatus.OK, "Ok.\n")
        elif scope["path"] not in ("/", "/query"):
            text = f"There is no handle {scope['path']}: queries go to /, and /ping tells that the server is there.\n"
            await Response(send, self._engine, None, method).text(HTTPStatus.NOT_FOUND, text)
        elif method not in ("GET", "HEAD", "POST"):
            await Response(send, self._engine, None, method).text(
                HTTPStatus.METHOD_NOT_ALLOWED, "Use GET, HEAD or POST.\n"
            )
        else:
            await self._answer(scope, receive, send)

    def close(self) -> None:
        """Ends what is open and shuts ClickHouse down."""
        self._threads.shutdown()
        self._handles.close()
        self._engine.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = Response(send, self._engine, None, scope["method"])
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            request = requests.parse(scope["method"], scope["query_string"], headers)
            response = Response(send, self._engine, request, scope["method"])
            await self._run(scope, request, headers.get("content-type", ""), response, receive)
        except ClickHouseError as error:
            await response.fail(error)
        except DisconnectedError:
            pass

    async def _run(
        self, scope: Scope, request: Request, content_type: str, response: Response, receive: Receive
    ) -> None:
        role = self._users.role(request.user, request.password, scope["client"][0])
        body = Body(receive, request)
        if form.is_form(content_type):
            fields = partial(form.with_fields, request, content_type, await body.all(self._limits.query_bytes))
            request = await asyncio.get_running_loop().run_in_executor(self._threads, fields)
        sql, data = await body.statement(request, role, self._limits)
        execution = Execution(
            engine=self._engine,
            handles=self._handles,
            threads=self._threads,
            role=role,
            request=request,
            response=response,
            deadline_s=access.deadline_s(role, request.settings.get("max_execution_time", ""), self._limits),
            hang_up=scope["state"]["hang_up"],
        )
        if isinstance(sql, InsertHead):
            await execution.insert(sql, data, body)
        else:
            await execution.query(sql, receive)
