"""News of what was stored, from the outbox table to `readings.stored` (decisions.md 17). At least once."""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ingest_mqtt.contract import STORED_TOPIC
from streams.queries import query
from streams.sessions import TRANSIENT, Pool

log = logging.getLogger(__name__)

IDLE_S = 1.0  # the API's store fills the outbox too: look without being told
GATHER_S = 0.5  # a transaction and a confirmation for each row of news would cost more than what it tells of
MOST = 200  # of one transaction
RETRY_S = 2.0


class NewsPublisher:
    """Publishes and then deletes; several workers take turns row by row."""

    def __init__(self, pool: Pool, kafka: str) -> None:
        self._pool = pool
        self._kafka = kafka
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Say that something was stored."""
        self._news.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                async with AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all") as producer:
                    await self._publish(producer)
            except (*TRANSIENT, KafkaError) as error:
                log.warning("news wait: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        while True:
            published = await self._publish_some(producer)
            if published:
                await asyncio.sleep(GATHER_S if published < MOST else 0)
            else:
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), IDLE_S)
                except TimeoutError:
                    continue

    async def _publish_some(self, producer: AIOKafkaProducer) -> int:
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(query("take_news"), {"most": MOST})
            news = await cursor.fetchall()
            sent: list[asyncio.Future[object]] = [await producer.send(STORED_TOPIC, payload) for _, payload in news]
            await asyncio.gather(*sent)
            if news:
                await connection.execute("DELETE FROM stored_outbox WHERE id = ANY (%s)", ([row[0] for row in news],))
            return len(news)
