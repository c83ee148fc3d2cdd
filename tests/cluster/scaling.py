"""The case of autoscalers: Kubernetes' own for ingress, and KEDA's object for workers."""

import json

from tests.cluster.scene import require

SCALED_OBJECT = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


async def autoscaled(scene):
    """The values of both autoscalers are applied: Kubernetes' own scales ingress; of KEDA only the object is there."""
    async with scene.undisturbed():
        await scene.upgrade({"ingress": {"autoscaling": {"enabled": True, "minReplicas": 3}}})
        scene.note(f"ready after {await scene.until_ready():.1f} s")
        scene.note((await scene.kubectl("get", "horizontalpodautoscalers")).strip())

        async def are_three():
            return sum("-ingress-" in name for name in await scene.pods()) == 3

        await scene.until(are_three, 90, "three pods of ingress")
        scene.note(f"three pods of ingress are ready after {await scene.until_ready():.1f} s")
        require(scene.least_kept["ingress"] >= 2, "the change to the autoscaler stops no ingress")
        await without_autoscaler(scene)
        scene.note(f"without it, ready after {await scene.until_ready():.1f} s")
        await scene.kubectl("create", "--filename", "-", stdin=json.dumps(SCALED_OBJECT))
        await scene.kubectl("wait", "--for=condition=Established", "crd/scaledobjects.keda.sh")
        await scene.upgrade({"worker": {"keda": {"enabled": True, "prometheusServer": "http://prometheus:9090"}}})
        scene.note((await scene.kubectl("get", "scaledobjects")).strip())
        scene.note(f"ready after {await scene.until_ready():.1f} s")
        require(
            len([name for name in await scene.pods() if "-worker-" in name]) == 2, "KEDA's object changes no number"
        )
        await scene.upgrade()
        await scene.until_ready()
        await scene.kubectl("delete", "crd/scaledobjects.keda.sh")


async def without_autoscaler(scene):
    """Switch it off: Helm does not take the number of pods back from the autoscaler, so a person sets it first."""
    await scene.meets_changed_replicas()
    await scene.kubectl("delete", "horizontalpodautoscaler/gateway-ingress", "--ignore-not-found")
    await scene.kubectl("scale", "deployment/gateway-ingress", "--replicas=2")
    await scene.upgrade()
