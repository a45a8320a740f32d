"""Every setting of every process, read once from `GRENZREGION_…` (docs/settings.md lists them; a test compares).

A process's settings class is made in `grenzregion/` and handed on; no other module reads the environment.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the servers are: what each process needs."""

    model_config = SettingsConfigDict(env_prefix="GRENZREGION_", frozen=True, extra="ignore")

    database_url: str = Field(
        default="postgresql://localhost/grenzregion", description="PostgreSQL connection string of the writing role"
    )
    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers of the log")
    partitions: int = Field(default=4, description="partitions of readings.raw, fixed when the topic is made")
    mqtt_host: str = Field(default="127.0.0.1", description="MQTT broker's host")
    mqtt_port: int = Field(default=1883, description="MQTT broker's port (MQTT 5)")
    mqtt_user: str = Field(default="", description="MQTT user of this process; empty: anonymous")
    mqtt_password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    data_dir: Path = Field(default=Path("var"), description="directory for all that a process keeps")
    metrics_port: int = Field(
        default=0, description="port of /metrics and /health of this process; 0: none. The API serves its own"
    )
    log_level: str = Field(default="info", description="debug, info, warning or error")


class BridgeSettings(Settings):
    """The bridge between the broker and the log."""

    mqtt_client_id: str = Field(
        default="grenzregion-bridge", description="fixed MQTT client id of the bridge: its session survives a restart"
    )
    mqtt_share: str = Field(default="", description="name of a shared subscription, for several bridges; empty: none")
    mqtt_session_expiry: int = Field(default=7 * 86_400, description="seconds for which the broker keeps the bridge's session")
    mqtt_receive_maximum: int = Field(default=1_000, description="messages in flight between broker and bridge")
    batch_bytes: int = Field(default=400_000, description="size at which a raw record is closed; below 1 MB (decisions.md 7)")
    batch_ms: float = Field(default=20.0, description="longest wait for more messages of a partition")


class WorkerSettings(Settings):
    """The Faust worker."""

    worker_id: str = Field(default="worker-1", description="fixed id of this worker's slot: its static group membership")
    session_timeout_s: float = Field(
        default=30.0, description="after so many seconds of silence the log gives this worker's partitions to another"
    )
    log_in_memory: bool = Field(default=False, description="the log keeps nothing over a restart and its end offsets are not exact")
    earliest: str = Field(default="2000-01-01T00:00:00Z", description="telemetry before this instant is a dead letter")
    future_days: float = Field(default=1.0, description="telemetry later than now plus this many days is a dead letter")
    future_minutes: float = Field(default=5.0, description="a reading further ahead of the bridge's stamp than this is flagged 4")
    close_minutes: float = Field(default=15.0, description="grace period after a bucket's end; a later change is a revision")
    alert_rules: str = Field(
        default="", description="folder of the operator's own rules for alerts, *.toml (alerts.md); empty: the platform's alone"
    )
    alert_sinks: str = Field(
        default="", description="TOML file of the webhooks and mails that alerts go to (alerts.md); empty: none"
    )
    alert_give_up_hours: float = Field(
        default=72.0, description="an alert that a webhook or mail server has not taken for so many hours is given up"
    )


class ApiSettings(Settings):
    """The HTTP API."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    http_port: int = Field(default=8080, description="port to listen on")
    public_url: str = Field(default="", description="URL under which the world sees this API; empty: http://host:port")
    mqtt_endpoints: str = Field(
        default="", description="URLs of the MQTT broker as clients reach it, separated by blanks, for the service root"
    )
    auth: bool = Field(default=True, description="writing needs the bearer token; off only on loopback")
    token: SecretStr = Field(default=SecretStr(""), description="bearer token that may write")
    pool_size: int = Field(default=10, description="database connections for reading, and as many at most for writing")
    statement_timeout_ms: int = Field(default=5_000, description="longest time of a reading statement; then 503")
    query_bytes: int = Field(default=4_096, description="longest query string")
    query_nodes: int = Field(default=100, description="most nodes of a query's tree")
    query_depth: int = Field(default=20, description="deepest nesting of a query's expressions")
    expand_depth: int = Field(default=3, description="deepest nesting of $expand")
    top_default: int = Field(default=100, description="$top where none is given")
    top_max: int = Field(default=10_000, description="largest $top")
    body_bytes: int = Field(default=10_000_000, description="largest request body")


class NotifierSettings(Settings):
    """The process that tells MQTT subscribers of stored and changed entities."""

    notifier: bool = Field(default=True, description="whether `grenzregion up` starts this process")
    host: str = Field(default="127.0.0.1", description="address at which the API listens")
    http_port: int = Field(default=8080, description="port at which the API listens")
    public_url: str = Field(default="", description="URL under which the world sees the API; empty: http://host:port")
    mqtt_selects: str = Field(
        default="result;result,phenomenonTime;phenomenonTime,result",
        description="selections, separated by ';', published on topics with ?$select=… where subscriptions are unknown",
    )
    notifier_keep_s: float = Field(default=3_600.0, description="what subscribers could not be told for so long is given up")

    @property
    def url(self) -> str:
        """The public URL, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.http_port}").rstrip("/")
