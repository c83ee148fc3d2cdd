# The production image: the gateway and its pinned dependencies, without development tools.
# tests/system/image runs these steps in a clean directory.
# One base for both stages. Pass a digest, so that a build does not change: BASE=python@sha256:…
ARG BASE=python:3.13-slim-trixie
# A base whose Python is not in /usr/local needs another one for the second stage: the same Python without pip.
ARG RUN_BASE=${BASE}

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PYTHONHASHSEED=0
WORKDIR /src
COPY requirements/ requirements/
# Pinned with hashes. Only wheels, because building a source distribution would run code that no hash covers.
RUN python -m venv /opt/gateway && \
    /opt/gateway/bin/pip install --no-compile --require-hashes --only-binary :all: --requirement requirements/runtime.txt && \
    python -m venv /opt/build && \
    /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt
COPY pyproject.toml README.md CHANGELOG.md ./
COPY schemas/ schemas/
COPY runtime/ runtime/
COPY adapters/ adapters/
COPY consumers/ consumers/
COPY gateway/ gateway/
COPY console/ console/
COPY cli/ cli/
COPY clients/python/ clients/python/
# The image needs no pip, and an intruder must not find one. The compiled files depend on neither times nor a random seed.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels . clients/python && \
    /opt/gateway/bin/pip install --no-compile --no-deps --no-index /opt/wheels/*.whl && \
    /opt/gateway/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/gateway/lib && \
    /opt/gateway/bin/pip uninstall --yes pip setuptools

FROM ${RUN_BASE}
# The base's own pip, which the image does not need either. The base needs none of its own packages.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/site-packages/*
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="collate-gateway" \
      org.opencontainers.image.description="Manual handoffs of Collate prior authorizations over Kafka" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/gateway /opt/gateway
# The processes write no files, so the root may be read-only. Output is not buffered.
ENV PATH=/opt/gateway/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /
EXPOSE 8080 8090 9090
ENTRYPOINT ["gateway"]
CMD ["--help"]
