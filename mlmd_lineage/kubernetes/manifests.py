"""Manifests of the five Kubernetes objects that make up a MySQL server."""

from __future__ import annotations

import base64
from typing import Any

IMAGE = "mysql:8.0"
PORT = 3306
DATABASE = "metadb"
USER = "root"
PASSWORD_KEY = "mysql-root-password"  # noqa: S105 - the key of a Secret, not its value
MANAGER = "mlmd-lineage"
_MYSQL_USER = 999  # of the image


def labels(name: str) -> dict[str, str]:
    """Return the labels of everything that belongs to one deployment."""
    return {
        "app.kubernetes.io/name": "mysql",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": MANAGER,
    }


def selector(name: str) -> dict[str, str]:
    """Return the labels by which the Service and the Deployment find the pods."""
    return {
        "app.kubernetes.io/name": "mysql",
        "app.kubernetes.io/instance": name,
    }


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": labels(name)}


def namespace(name: str) -> dict[str, Any]:
    """Return the namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
    }


def secret(name: str, in_namespace: str, password: str) -> dict[str, Any]:
    """Return the Secret with the root password."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(name, in_namespace),
        "type": "Opaque",
        "data": {PASSWORD_KEY: base64.b64encode(password.encode()).decode()},
    }


def volume_claim(name: str, in_namespace: str, capacity: str) -> dict[str, Any]:
    """Return the claim of a volume, of the cluster's default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(name, in_namespace),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": capacity}},
        },
    }


def deployment(name: str, in_namespace: str) -> dict[str, Any]:
    """Return the Deployment of one MySQL server."""
    answers = {
        "exec": {"command": ["bash", "-c", 'mysqladmin ping -uroot -p"$MYSQL_ROOT_PASSWORD"']}
    }
    password = {"secretKeyRef": {"name": name, "key": PASSWORD_KEY}}
    container = {
        "name": "mysql",
        "image": IMAGE,
        # MLMD's own client cannot log in with MySQL 8's caching_sha2_password.
        "args": ["--default-authentication-plugin=mysql_native_password"],
        "env": [
            {"name": "MYSQL_ROOT_PASSWORD", "valueFrom": password},
            {"name": "MYSQL_DATABASE", "value": DATABASE},
        ],
        "ports": [{"name": "mysql", "containerPort": PORT}],
        "readinessProbe": {**answers, "periodSeconds": 5, "timeoutSeconds": 5},
        # The first start, which makes the data folder, may take minutes.
        "startupProbe": {
            **answers,
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 60,
        },
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/mysql", "subPath": "mysql"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, in_namespace),
        "spec": {
            "replicas": 1,
            # Two servers on one volume would damage it.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(name)},
            "template": {
                "metadata": {"labels": labels(name)},
                "spec": {
                    "securityContext": {"fsGroup": _MYSQL_USER},
                    "containers": [container],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
                },
            },
        },
    }


def service(name: str, in_namespace: str) -> dict[str, Any]:
    """Return the Service that leads to the server."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, in_namespace),
        "spec": {
            "selector": selector(name),
            "ports": [{"name": "mysql", "port": PORT, "targetPort": "mysql"}],
        },
    }
