# One image for every process of the platform; the command names the process (infra/compose.yaml).
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/grenzregion
COPY requirements/run.txt requirements/run.txt
RUN /opt/grenzregion/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY devices devices
COPY grafana grafana
COPY grenzregion grenzregion
COPY infra infra
COPY ingest_mqtt ingest_mqtt
COPY streams streams
# setuptools only builds the wheel and is not part of the image.
RUN /opt/grenzregion/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home grenzregion
COPY --from=build /opt/grenzregion /opt/grenzregion
ENV PATH=/opt/grenzregion/bin:$PATH PYTHONUNBUFFERED=1 GRENZREGION_DATA_DIR=/data
# As in grenzregion/processes.py, where the reason stands.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=1048576
USER grenzregion
WORKDIR /data
VOLUME /data
ENTRYPOINT ["grenzregion"]
