"""The worker as a process: settings become a Faust app, its agents and what runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading

import faust
import psycopg

from infra.database import conninfo_for, wait_for_database
from infra.log import end_offsets, ensure_topic
from infra.settings import WorkerSettings
from infra.telemetry import serve_telemetry, set_up_logging
from ingest_mqtt.contract import ALERTS_TOPIC, RAW_TOPIC, STORED_TOPIC
from streams import health, neighbours, store
from streams.agents import ingest, watch
from streams.alerts.rules import RuleError
from streams.alerts.sinks import SinksError
from streams.intake import Intake
from streams.limits import limits_of
from streams.pause import Gate
from streams.published import NewsPublisher
from streams.receipts import ReceiptPublisher
from streams.related import WriteRelated
from streams.sessions import TRANSIENT, open_pool
from streams.transport import BatchSchema, LedgerApp
from streams.virtual.worker import VirtualWorker
from streams.worker import Worker

log = logging.getLogger(__name__)

GROUP = "grenzregion"
STOP_BOUND_S = 8.0  # aiokafka can hang while Kafka is away; the ledger makes a hard end safe
REBALANCE_BOUND_S = 60.0
LISTEN_PAUSE_S = 2.0


def run(settings: WorkerSettings, related: WriteRelated | None = None) -> None:
    """Work until SIGTERM or SIGINT; the process ends with 75 when it can't go on and shall be started again.

    `related` writes the entities that Observations bring along over MQTT.
    """
    set_up_logging(settings.worker_id, settings.log_level)
    wait_for_database(settings.database_url)
    ensure_topic(settings.kafka, RAW_TOPIC, settings.partitions)
    ensure_topic(settings.kafka, STORED_TOPIC, settings.partitions)
    ensure_topic(settings.kafka, ALERTS_TOPIC, settings.partitions)
    app = faust_app(settings)
    try:
        process = Process(settings, app, related)
    except (RuleError, SinksError) as error:
        sys.exit(f"error: {error}")
    with contextlib.ExitStack() as stack:
        if settings.metrics_port:
            stack.enter_context(serve_telemetry(settings.metrics_port, process.figures.registry, ready=process.figures.complaints))
        faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True).execute_from_commandline()


def faust_app(settings: WorkerSettings) -> LedgerApp:
    """Make the Faust app with the settings that the seam needs (ledger.md, "The seam" and "Hangs and their cures")."""
    return LedgerApp(
        GROUP,
        broker=f"kafka://{settings.kafka}",
        datadir=str(settings.data_dir / "run" / settings.worker_id),
        consumer_group_instance_id=settings.worker_id,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=2,
        broker_max_poll_records=1000,
        broker_max_poll_interval=1000.0,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 10,
        broker_request_timeout=60.0,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )


class RawLog:
    """`readings.raw`, as `worker.Log` asks for it."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    def incarnation(self) -> str:
        """Return the topic's id; a log that lost the topic gets a new one."""
        return ensure_topic(self._settings.kafka, RAW_TOPIC, self._settings.partitions)

    def ends(self) -> dict[int, int] | None:
        """Return the next offsets; tansu's are too low by its last batch (ledger.md)."""
        return None if self._settings.log_in_memory else end_offsets(self._settings.kafka, RAW_TOPIC, self._settings.partitions)


class Process:
    """Ties Faust, the database, receipts and news of one worker together."""

    def __init__(self, settings: WorkerSettings, app: LedgerApp, related: WriteRelated | None = None) -> None:
        self._settings = settings
        self._app = app
        self._pool = open_pool(settings.database_url, settings.partitions + 6, settings.worker_id)
        self._gate = Gate(self._pool, settings.worker_id)
        self.figures = health.Figures(
            is_waiting=lambda: app.rebalancing or not self._worker.has_joined,
            pause=lambda: self._gate.reason,
            quarantined=lambda: self._worker.quarantined,
            alerts=lambda: self._alerts.overview,
        )
        self._receipts = ReceiptPublisher(
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            user=settings.mqtt_user,
            password=settings.mqtt_password.get_secret_value(),
            client_id=f"grenzregion-{settings.worker_id}",
        )
        self._news = NewsPublisher(self._pool, settings.kafka)
        limits, self._limits = limits_of(settings)
        self._virtual = VirtualWorker(self._pool, self._limits.grace)
        self._alerts, self._told, self._told_broker = watch.attach(settings, self._pool, self._limits)
        self._sinks = watch.sending(settings, self._pool, self.figures.count_told, self.figures.set_untold)
        self._worker = Worker(
            pool=self._pool,
            owner=f"{settings.worker_id}/{os.getpid()}",
            log=RawLog(settings),
            limits=limits,
            store_limits=self._limits,
            on_receipts=self._receipts.publish,
            on_stored=self._stored,
            gate=self._gate,
            related=related,
        )
        self._tasks: list[asyncio.Task[None]] = []
        app.ownership, app.before_start, app.before_stop = self._worker, self._start, self._stop
        ingest.attach(app, app.topic(RAW_TOPIC, schema=BatchSchema(), acks=False), self._worker.handle, self._worker.fatal)

    def _stored(self, intake: Intake) -> None:
        self.figures.count(intake)
        self._news.notify()

    async def _start(self) -> None:
        await self._pool.open()
        await self._gate.resumed()  # before joining: the log would not wait for so long
        self._receipts.start()
        self._told_broker.start()
        async with self._pool.connection() as connection:
            self._receipts.publish(await store.last_receipts(connection))
        judging = neighbours.run(self._pool, self._limits)
        for work in (
            self._news.run(),
            judging,
            self._virtual.run(),
            self._alerts.run(),
            self._told.run(),
            self._sinks.run(),
            self._listen(),
            self._watch(),
        ):
            task = asyncio.create_task(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._worker.fatal(f"a task of the worker died: {task.exception()!r}")

    async def _stop(self) -> None:
        bound = threading.Timer(STOP_BOUND_S, os._exit, (0,))
        bound.daemon = True
        bound.start()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._receipts.stop)
        await asyncio.to_thread(self._told_broker.stop)

    def _registry_changed(self) -> None:
        self._worker.registry_changed()
        self._virtual.registry_changed()
        self._alerts.registry_changed()

    async def _listen(self) -> None:
        """Hear of changes to the registry; what happened while not listening is covered by reading it again."""
        dsn = conninfo_for(self._settings.database_url, process=f"{self._settings.worker_id}-listen")
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                    await connection.execute("LISTEN registry")
                    self._registry_changed()
                    async for _ in connection.notifies():
                        self._registry_changed()
            except TRANSIENT as error:
                log.warning("no news of the registry: %s", error)
            await asyncio.sleep(LISTEN_PAUSE_S)

    async def _watch(self) -> None:
        """End the process when a rebalance never ends: Faust then hangs silently (ledger.md)."""
        since: float | None = None
        while True:
            await asyncio.sleep(1)
            now = asyncio.get_running_loop().time()
            since = (since or now) if self._app.rebalancing else None
            if since is not None and now - since > REBALANCE_BOUND_S:
                self._worker.fatal(f"rebalancing for {REBALANCE_BOUND_S:.0f} s")
