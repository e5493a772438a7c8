# The daemon's image. Built from the locked requirements in one stage; the other holds the result and runs it without any rights.
# To build behind a proxy or from a mirror, give PYTHON_IMAGE, and pip's own settings as build arguments (PIP_INDEX_URL and so on).
# With REQUIREMENTS=requirements-notify.txt it can send messages (`notify:` in config.yaml).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG REQUIREMENTS=requirements.txt
WORKDIR /build
COPY requirements.txt requirements-notify.txt requirements-build.txt ./
# Every package is checked against a hash, those that build this one included; pip itself stays out of the result.
RUN python3 -m venv --without-pip /opt/autoscaler \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-build.txt \
 && pip --python /opt/autoscaler/bin/python3 install --no-cache-dir --disable-pip-version-check --require-hashes -r "$REQUIREMENTS"
COPY pyproject.toml README.md ./
COPY autoscaler autoscaler
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/autoscaler/bin/python3 install --no-cache-dir --disable-pip-version-check --no-index --no-deps dist/*.whl

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Celery Docker autoscaler" \
      org.opencontainers.image.description="Keeps exactly the right number of Celery worker containers running" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# The state folder belongs to the user, so that a new named volume does too.
RUN groupadd --gid 10001 autoscaler \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/autoscaler --shell /bin/false autoscaler \
 && install -d -o 10001 -g 10001 /var/lib/autoscaler \
 && install -d /etc/autoscaler
COPY --from=build /opt/autoscaler /opt/autoscaler
ENV PATH=/opt/autoscaler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUTOSCALER_CONFIG=/etc/autoscaler/config.yaml
WORKDIR /var/lib/autoscaler
USER 10001:10001
EXPOSE 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["autoscaler", "healthcheck"]
ENTRYPOINT ["autoscaler"]
CMD ["run"]
