#!/bin/sh
# Starts one Celery worker as the environment says, and becomes it: with `exec`, so that SIGTERM reaches Celery and not this shell.
# Further arguments are passed on to `celery worker`. Celery itself reads CELERY_BROKER_URL, and CELERY_WORKER_<OPTION> for every
# option of `celery worker`; the autoscaler names the worker that way (CELERY_WORKER_HOSTNAME).
set -eu

[ -z "${CELERY_QUEUES:-}" ] || set -- --queues "$CELERY_QUEUES" "$@"
[ -z "${CELERY_POOL:-}" ] || set -- --pool "$CELERY_POOL" "$@"
[ -z "${CELERY_CONCURRENCY:-}" ] || set -- --concurrency "$CELERY_CONCURRENCY" "$@"
[ -z "${CELERY_AUTOSCALE:-}" ] || set -- --autoscale "$CELERY_AUTOSCALE" "$@"
[ -z "${CELERY_MAX_TASKS:-}" ] || set -- --max-tasks-per-child "$CELERY_MAX_TASKS" "$@"

# Without the heartbeat an idle worker sends 30 commands a minute less, and Flower no longer shows it: its own page still does.
# CELERY_METERED leaves out more in celeryconfig.py.
[ "${CELERY_WITHOUT_HEARTBEAT:-0}" != 1 ] && [ "${CELERY_METERED:-0}" != 1 ] || set -- --without-heartbeat "$@"

# Gossip and mingle make workers talk to each other: nobody here listens, every worker pays, and mingle delays each start by 1 s.
exec celery --app "${CELERY_APP:-app}" worker --loglevel "${CELERY_LOGLEVEL:-INFO}" --without-gossip --without-mingle "$@"
