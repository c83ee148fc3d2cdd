"""A stand-in for Kubernetes: `helm` and `kubectl` as the documents use them, over the output of the real Helm.

It refuses missing releases, namespaces, pods, ports, Secrets and keys of Secrets, as a cluster does. Processes of pods
run on this machine with the pod's environment and files; `overrides` has the settings that differ here.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import helm_python as helm
import yaml

from local.installation import Program
from local.processes.ports import free_ports
from runtime.exits import Exit
from tests.contract.documents.pages import ROOT
from tests.preloaded import run_gateway

BIN = Path(sys.executable).parent
IN_THE_IMAGE = {"gateway", "python"}
WARNING = 2
MOST_TRIES = 4


class CommandRefused(Exception):
    """A refusal by helm, kubectl or the cluster, with its message."""


class Arguments(argparse.ArgumentParser):
    def __init__(self, *positional, flags=(), **options):
        super().__init__(add_help=False, exit_on_error=False, allow_abbrev=False)
        self.add_argument("--namespace", required=True)
        for name in positional:
            self.add_argument(name)
        for name in flags:
            self.add_argument(f"--{name}", action="store_true")
        for name, action in options.items():
            self.add_argument(f"--{name.replace('_', '-')}", action=action, default=[] if action == "append" else None)

    def error(self, message):
        raise CommandRefused(message)


HELM = {
    "upgrade": Arguments("release", "chart", flags=("install", "wait"), values="store", set="append", timeout="store"),
    "test": Arguments("release", flags=("logs",)),
    "history": Arguments("release"),
    "rollback": Arguments("release", "revision", flags=("wait",), timeout="store"),
}
KUBECTL = {
    ("create", "secret", "generic"): Arguments("name", from_file="append"),
    ("port-forward",): Arguments("target", "ports"),
    ("exec",): Arguments("pod"),
}


@dataclass
class Pod:
    """A pod that can run: its name and its spec."""

    name: str
    spec: dict

    @property
    def container(self):
        (container,) = self.spec["containers"]
        return container

    @property
    def argv(self):
        return ["gateway", *self.container["args"]]

    def port(self, name):
        return {one["name"]: one["containerPort"] for one in self.container["ports"]}[name]


@dataclass
class Kubernetes:
    """One cluster. The reader works in `directory`; `run` starts long-running processes."""

    directory: Path
    run: object
    overrides: dict
    secrets: dict
    namespaces: set = field(default_factory=set)
    releases: dict = field(default_factory=dict)
    forwarded: dict = field(default_factory=dict)
    programs: dict = field(default_factory=dict)
    results: dict = field(default_factory=dict)
    ran: list = field(default_factory=list)

    def helm(self, words):
        verb, *rest = words
        arguments = HELM[verb].parse_args(rest)
        revisions = self.releases.setdefault((arguments.namespace, arguments.release), [])
        if arguments.namespace not in self.namespaces:
            raise CommandRefused(f"there is no namespace {arguments.namespace}")
        if not revisions and not (verb == "upgrade" and arguments.install):
            raise CommandRefused(f"there is no release {arguments.release}")
        match verb:
            case "upgrade":
                self._deploy(arguments, revisions)
            case "test":
                hooks = [one for one in revisions[-1] if "helm.sh/hook" in one["metadata"].get("annotations", {})]
                assert hooks, "the chart has no test hook"
                for one in hooks:
                    self._complete(Pod(one["metadata"]["name"], one["spec"]))
            case "rollback":
                number = int(arguments.revision)
                if not 1 <= number <= len(revisions):
                    raise CommandRefused(f"{arguments.release} has no revision {number}")
                revisions.append(revisions[number - 1])
        return "\n".join(str(number) for number, _ in enumerate(revisions, start=1))

    def kubectl(self, words):
        words, command = split(words, "--")
        if words == ["create", "namespace", words[-1]]:
            self.namespaces.add(words[-1])
            return ""
        # The verb of kubectl may follow its options.
        space, words = (words[:2], words[2:]) if words[0] == "--namespace" else ([], words)
        verb = next((verb for verb in KUBECTL if tuple(words[: len(verb)]) == verb), None)
        if verb is None:  # a StopIteration would never leave the thread
            raise CommandRefused(f"this kubectl has no {words[0]}")
        arguments = KUBECTL[verb].parse_args([*space, *words[len(verb) :]])
        if arguments.namespace not in self.namespaces:
            raise CommandRefused(f"there is no namespace {arguments.namespace}")
        match verb[0]:
            case "create":
                files = dict(one.split("=", 1) for one in arguments.from_file)
                content = {key: (self.directory / file).read_bytes() for key, file in files.items()}
                self.secrets[arguments.name] = content
            case "port-forward":
                self._forward(arguments)
            case "exec":
                return self.execute(self.pod(arguments.pod), command)
        return ""

    def current(self):
        """Return all objects of the newest revision of every release."""
        return [one for revisions in self.releases.values() for one in revisions[-1]]

    def pod(self, name):
        """Return the pod of a StatefulSet with this name."""
        objects = self.current()
        for one in objects:
            if one["kind"] == "StatefulSet":
                for number in range(one["spec"]["replicas"]):
                    if f"{one['metadata']['name']}-{number}" == name:
                        return Pod(name, one["spec"]["template"]["spec"])
        raise CommandRefused(f"there is no pod {name}")

    def start(self, workload):
        """Stop the running pod of a workload, start a new one, and return its program."""
        objects = self.current()
        (owner,) = [
            one
            for one in objects
            if one["kind"] in {"Deployment", "StatefulSet"} and one["metadata"]["name"] == workload
        ]
        if workload in self.programs:
            assert self.programs[workload].stop() == 0
        pod = Pod(f"{workload}-0", owner["spec"]["template"]["spec"])
        own, admin = free_ports(2)
        ports = {"GATEWAY_INGRESS__PORT": str(own), "GATEWAY_ADMIN__PORT": str(admin)}
        log = self.directory / f"{workload}.log"
        self.ran.append(pod.argv)
        process = self.run.spawn([BIN / pod.argv[0], *pod.argv[1:]], log=log, environ=self.environ(pod) | ports)
        program = Program(workload, f"http://127.0.0.1:{own}", f"http://127.0.0.1:{admin}", log, process)
        self.programs[workload] = program
        program.await_ready()
        return program

    def execute(self, pod, command):
        """Run a command in a pod. The same command in the same environment runs once."""
        if not command or command[0] not in IN_THE_IMAGE:
            raise CommandRefused(f"the image has no {command}")
        assert pod.port("admin") == 9090
        workload = pod.name.rpartition("-")[0]
        environ = self.environ(pod)
        if workload in self.programs:
            real = self.programs[workload].admin_url
            command = [word.replace("http://127.0.0.1:9090", real) for word in command]
            environ["GATEWAY_ADMIN__PORT"] = real.rpartition(":")[2]
        return self._run(command, environ)

    def environ(self, pod):
        """Return the container's environment, and write its files on this machine."""
        mounts = {one["name"]: one["mountPath"] for one in pod.container["volumeMounts"]}
        place = self.directory / "pods" / pod.name
        for volume in pod.spec["volumes"]:
            self._mount(volume, place / mounts[volume["name"]].lstrip("/"))
        environ = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(place)}
        for one in pod.container["env"]:
            environ[one["name"]] = one.get("value", pod.name)
        for path in mounts.values():
            environ = {name: value.replace(path, f"{place}{path}") for name, value in environ.items()}
        return environ | self.overrides

    def _deploy(self, arguments, revisions):
        if not (ROOT / arguments.chart / "Chart.yaml").exists():
            raise CommandRefused(f"there is no chart {arguments.chart}")
        values = yaml.safe_load((self.directory / arguments.values).read_text())
        for one in arguments.set:
            path, _, value = one.partition("=")
            *sections, name = path.split(".")
            section = values
            for key in sections:
                section = section.setdefault(key, {})
            section[name] = value
        report = helm.lint(ROOT / arguments.chart, values, namespace=arguments.namespace)
        if report["errors"] or [one for one in report["messages"] if one["severity"] >= WARNING]:
            raise CommandRefused(str(report))
        with helm.Chart.load(ROOT / arguments.chart) as chart:
            rendered = chart.render(
                values,
                name=arguments.release,
                namespace=arguments.namespace,
                is_install=not revisions,
                is_upgrade=bool(revisions),
            )
        texts = [text for name, text in rendered.items() if not name.endswith(".txt")]
        objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
        revisions.append(objects)
        for one in objects:
            if one["kind"] in {"Deployment", "StatefulSet"}:
                self.environ(Pod(one["metadata"]["name"], one["spec"]["template"]["spec"]))
            elif one["kind"] == "Job":
                self._complete(Pod(one["metadata"]["name"], one["spec"]["template"]["spec"]))

    def _complete(self, pod):
        return self._run(pod.argv, self.environ(pod))

    def _run(self, command, environ):
        arguments = (tuple(command), tuple(sorted(environ.items())))
        if arguments not in self.results:
            self.results[arguments] = until_reachable(lambda: self._run_program(*command, environ=environ))
        done = self.results[arguments]
        if done.returncode:
            raise CommandRefused(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _run_program(self, program, *words, environ):
        if program == "gateway":  # the pods start with the installed program
            return run_gateway(*words, environ=environ)
        return subprocess.run(
            [BIN / program, *words], env=environ, cwd=self.directory, capture_output=True, text=True, check=False
        )

    def _mount(self, volume, place):
        place.mkdir(parents=True, exist_ok=True)
        sources = volume["projected"]["sources"] if "projected" in volume else [volume]
        for source in sources:
            secret = source["secret"]
            name = secret.get("name", secret.get("secretName"))
            for item in secret["items"]:
                if item["key"] not in self.secrets.get(name, {}):
                    raise CommandRefused(f"the Secret {name} has no key {item['key']}")
                (place / item["path"]).write_bytes(self.secrets[name][item["key"]])

    def _forward(self, arguments):
        kind, _, name = arguments.target.partition("/")
        outside, _, port = arguments.ports.partition(":")
        objects = self.current()
        found = [one for one in objects if one["kind"].lower() == kind and one["metadata"]["name"] == name]
        ports = {str(one["port"]): one["targetPort"] for service in found for one in service["spec"]["ports"]}
        if port not in ports:
            raise CommandRefused(f"there is no {arguments.target} with port {port}")
        wanted = found[0]["spec"]["selector"].items()
        (workload,) = [
            one
            for one in objects
            if one["kind"] == "Deployment" and wanted <= one["spec"]["template"]["metadata"]["labels"].items()
        ]
        pod = Pod("", workload["spec"]["template"]["spec"])
        assert (ports[port], pod.port(ports[port])) == ("http", 8080)
        self.forwarded[f"http://127.0.0.1:{outside}"] = self.programs[workload["metadata"]["name"]].url


def until_reachable(run):
    """Retry while something is unreachable, as a Job or a person does: this broker drops logins after 4 s."""
    for _ in range(MOST_TRIES):
        done = run()
        if done.returncode != Exit.UNAVAILABLE:
            break
    return done


def split(words, at):
    place = words.index(at) if at in words else len(words)
    return words[:place], words[place + 1 :]
