"""The values that the chart is tried with, by name, over the required ones."""

from pathlib import Path

import yaml

CHART = Path(__file__).parents[2] / "helm" / "gateway"
SASL = {"settings": {"kafka": {"security": "SASL_SSL"}}}
EXPOSED = {
    "ingress": {"enabled": True, "hosts": ["handoffs.example.com"], "tlsSecret": "tls", "className": "nginx"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["handoffs.example.com"]},
}
OIDC = {
    "public_url": "https://handoffs.example.com",
    "oidc_issuer": "https://login.example.com",
    "oidc_client_id": "console",
}
EVERYTHING = {
    "projector": {"enabled": True},
    "promises": {"enabled": True},
    "deliverer": {"enabled": True},
    "console": {"enabled": True, "expose": EXPOSED},
    "settings": {"console": OIDC | {"session_origins": ["https://sessions.example.com"]}},
    "secrets": {"oidcClientSecret": "oidc-client-secret"},
    "monitoring": {
        "serviceMonitor": {"enabled": True},
        "rules": {"enabled": True, "runbookBase": "https://docs.test/"},
        "dashboard": {"enabled": True},
    },
    "expose": {
        "ingress": {"enabled": True, "hosts": ["gateway.example.com"], "tlsSecret": "tls", "className": "nginx"},
        "httpRoute": {
            "enabled": True,
            "parentRefs": [{"name": "public"}],
            "hostnames": ["gateway.example.com"],
            "annotations": {"team": "payers"},
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-forwarded-user"]}}],
        },
    },
    "ingress": {"autoscaling": {"enabled": True}},
    "worker": {"keda": {"enabled": True, "prometheusServer": "http://prometheus:9090"}},
}
VALUES = {
    "minimal": {},
    "everything": EVERYTHING,
    "scram, a user each": SASL
    | {
        "kafka": {"files": {"ca": "ca.crt", "password": "password"}, "caExistingSecret": "kafka-cluster-ca"},
        "ingress": {"kafka": {"username": "gateway-ingress", "existingSecret": "gateway-ingress"}},
        "worker": {"kafka": {"username": "gateway-worker", "existingSecret": "gateway-worker"}},
        "topics": {"kafka": {"username": "gateway-topics", "existingSecret": "gateway-topics"}},
    },
    "mutual tls": {
        "settings": {"kafka": {"security": "SSL"}},
        "kafka": {"files": {"ca": "ca.crt", "certificate": "tls.crt", "privateKey": "tls.key"}},
    },
    "service account tokens": {
        "settings": {"kafka": {"security": "SASL_SSL", "mechanism": "OAUTHBEARER"}},
        "kafka": {"serviceAccountToken": {"enabled": True}, "files": {"ca": "ca.crt"}},
    },
    "client credentials": {
        "settings": {
            "kafka": {"security": "SASL_SSL", "mechanism": "OAUTHBEARER", "oauth_url": "https://id.test:8443/token"}
        },
        "kafka": {"oauthClientId": "gateway", "files": {"oauthClientSecret": "client-secret"}},
    },
    "bare": {
        "networkPolicy": {"enabled": False},
        "tests": {"enabled": False},
        "topics": {"apply": False},
        "serviceAccount": {"create": False},
    },
    "placed": {
        part: {
            "nodeSelector": {"pool": "apps"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
            "podAnnotations": {"team": "payers"},
            "podLabels": {"team": "payers"},
        }
        for part in ("ingress", "worker", "projector")
    }
    | {"console": {"enabled": True, "nodeSelector": {"pool": "apps"}}, "settings": {"console": OIDC}}
    | {"imagePullSecrets": [{"name": "pull"}], "image": {"digest": f"sha256:{'a' * 64}"}},
    "jobs of a mesh, and objects of one's own": {
        "jobs": {
            "podAnnotations": {"sidecar.istio.io/inject": "false"},
            "podLabels": {"sidecar.istio.io/inject": "false"},
            "nodeSelector": {"pool": "jobs"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "low",
            "activeDeadlineSeconds": 7200,
            "ttlSecondsAfterFinished": 600,
        },
        "projector": {"enabled": True},
        "promises": {"enabled": True},
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-not-ours", "labels": {"team": "payers"}},
                "data": {"address": '{{ include "gateway.fullname" . }}-ingress'},
            }
        ],
    },
    "narrow network": {
        "settings": {"traces": {"endpoint": "http://collector:4318/v1/traces"}},
        "networkPolicy": {
            "callers": [{"namespaceSelector": {"matchLabels": {"team": "scheduling"}}}],
            "monitoring": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "kafka": {"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [9092, 9093]},
            "collate": {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]},
            "otlp": {"ports": [4318]},
            "issuers": {"ports": [443]},
            "extraEgress": [{"ports": [{"protocol": "TCP", "port": 8125}]}],
        },
    },
    "numbers that YAML likes to mangle": {
        "settings": {"ingress": {"max_body": 1000000, "caller_rate": 1000000.0}, "collate": {"calls_per_second": 0.25}}
    },
}

# The files by which chart-testing installs a chart; the required values are in each of them.
VALUES |= {file.stem: yaml.safe_load(file.read_text()) for file in sorted((CHART / "ci").glob("*-values.yaml"))}
