"""A cluster: by Kubernetes' schemas and kustomize, and by what each pod may, gets and is asked."""

import re
import shutil
from base64 import b64decode

import kubernetes_validate
import pytest
import yaml

from tests.deploy.files import (
    DEPLOY,
    MOMENT,
    ROOT,
    documents,
    is_a_command,
    option_of,
    read_env,
    run,
    secrets_for,
    settings_of,
    tool,
    without_default,
)

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ("1.29", "1.34")
"""Of Kubernetes: whose schemas everything has to fit."""


OURS = "registry.example/marketplace:1"
POSTGRES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["postgres"]["image"]

METRICS = [{"name": "MARKETPLACE_METRICS_LISTEN", "value": "0.0.0.0:9100"}]


def in_files():
    for path in sorted(FOLDER.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from documents(path.read_text())


ALL = [*in_files()]
COMPONENT = "app.kubernetes.io/component"
PODS = {
    each["metadata"]["labels"][COMPONENT]: each
    for each in ALL
    if each["kind"] in ("Deployment", "Job", "CronJob", "Pod")
}


def pod_of(each):
    """Return the pod that something is, or makes."""
    if each["kind"] == "Pod":
        return each
    made = each["spec"]["jobTemplate"] if each["kind"] == "CronJob" else each
    return made["spec"]["template"]


SPECS = {name: pod_of(each)["spec"] for name, each in PODS.items()}
EVERY = sorted(SPECS)
OF_BACK_UPS = ["back-up", "restore"]
NAMES = [name for name in EVERY if name not in OF_BACK_UPS]


def containers_of(name):
    return [*SPECS[name].get("initContainers", []), *SPECS[name]["containers"]]


def mounts_of(container):
    return {each["mountPath"]: each.get("readOnly", False) for each in container["volumeMounts"]}


def of_kind(kind):
    return {each["metadata"]["name"]: each for each in ALL if each["kind"] == kind}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_one(version):
    assert len(ALL) > 10
    for each in ALL:
        kubernetes_validate.validate(each, version, strict=True)


def test_what_is_none_would_be_refused():
    wrong = {**of_kind("Service")["marketplace-web"], "spec": {"porst": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "migrate", FOLDER / "restore"])
def test_kustomize_puts_all_of_it_together(folder):
    made = run(tool("kubectl"), "kustomize", folder)
    assert made.returncode == 0, made.stderr
    built = documents(made.stdout)
    here = {path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"}
    (scripts,) = [each for each in built if "at-database" in each.get("data", {})] or [None]
    assert bool(scripts) == (folder.name != "migrate")
    whole = sum(len(documents(path.read_text())) for path in here)
    assert len(built) == whole + bool(scripts)
    if scripts:
        texts = {name: (DEPLOY / "backup" / name).read_text() for name in ("at-database", "dump")}
        assert scripts["data"] == texts
        named = re.findall(r"name: (marketplace-back-up-.*)", made.stdout)
        assert named == [scripts["metadata"]["name"]] * 2  # its own, and where it is mounted
    images = {*re.findall(r"image: (.*)", made.stdout)}
    wanted = {"kubernetes": {OURS, POSTGRES}, "migrate": {OURS}, "restore": {POSTGRES}}
    assert images == wanted[folder.name]
    assert {e["metadata"].get("namespace") for e in built if e["kind"] != "Namespace"} == {
        "marketplace"
    }


@pytest.mark.parametrize("name", EVERY)
def test_a_pod_may_no_more_than_it_needs(name):
    """What the "restricted" standard of the namespace asks, and a root that nobody writes to."""
    volume = {"fsGroup": 10001, "fsGroupChangePolicy": "OnRootMismatch"}
    assert SPECS[name]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
        **(volume if name in OF_BACK_UPS else {}),
    }
    assert "USER 10001:10001" in (DEPLOY / "Dockerfile").read_text()
    assert SPECS[name]["automountServiceAccountToken"] is False
    for container in containers_of(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_writes_to_its_own_tmp_alone(name):
    (container,) = SPECS[name]["containers"]
    assert mounts_of(container) == {"/tmp": False}


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_gets_the_settings_and_only_the_job_the_owners(name, tmp_path):
    drawn = secrets_for(tmp_path / "etc", "postgres.example", "redis.example")
    given = {
        "marketplace-settings": of_kind("ConfigMap")["marketplace-settings"]["data"],
        "marketplace-secrets": drawn["secrets"],
        "marketplace-migrate": drawn["migrate"],
    }
    (container,) = SPECS[name]["containers"]
    assert container.get("env", []) == (METRICS if name == "worker" else [])
    sources = [next(iter(each.values()))["name"] for each in container["envFrom"]]
    assert ("marketplace-migrate" in sources) == (name == "migrate")
    environment = {key: value for source in sources for key, value in given[source].items()}
    environment |= {each["name"]: each["value"] for each in container.get("env", [])}
    assert environment.keys() >= without_default()
    settings = settings_of(environment)
    assert settings.trusted_proxies == 1
    if name == "worker":
        assert settings.metrics_listen is not None
        assert settings.metrics_listen[1] == container["ports"][0]["containerPort"]
    assert not of_kind("Secret")  # by reference alone


def test_what_is_decided_is_what_settings_env_decides():
    decided = of_kind("ConfigMap")["marketplace-settings"]["data"]
    assert decided == read_env((DEPLOY / "settings.env").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_what_runs_is_a_command(name):
    (container,) = SPECS[name]["containers"]
    if name == "migrate":
        *shell, script = container["command"]
        assert shell == ["sh", "-euc"]
        for each in script.split(" && "):
            program, *words = each.split()
            assert program == "marketplace"
            assert is_a_command(words)
        assert SPECS[name]["restartPolicy"] == "OnFailure"
    else:
        assert is_a_command(container["args"])
        assert container["args"][0] == name


def test_web_is_asked_where_it_answers(installation):
    (web,) = SPECS["web"]["containers"]
    (port,) = web["ports"]
    assert str(port["containerPort"]) == option_of(web["args"], "--port")
    asked = {kind: web[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: each["path"] for kind, each in asked.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",  # and never for liveness: to start anew brings no database back
        "liveness": "/healthz",
    }
    assert {each["port"] for each in asked.values()} == {port["name"]}
    routes = {rule.rule for rule in installation.app.url_map.iter_rules()}
    assert {each["path"] for each in asked.values()} <= routes
    service = of_kind("Service")["marketplace-web"]["spec"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert (
        service["selector"].items() <= PODS["web"]["spec"]["template"]["metadata"]["labels"].items()
    )


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_a_node_that_is_emptied_takes_one_at_a_time(name):
    budget = of_kind("PodDisruptionBudget")[f"marketplace-{name}"]["spec"]
    assert budget["selector"] == PODS[name]["spec"]["selector"]
    assert budget["maxUnavailable"] == 1
    scaled = of_kind("HorizontalPodAutoscaler").get(f"marketplace-{name}")
    least = scaled["spec"]["minReplicas"] if scaled else PODS[name]["spec"]["replicas"]
    assert least >= 2
    assert ("replicas" in PODS[name]["spec"]) != bool(scaled)  # or each apply undoes the other


@pytest.mark.parametrize("name", EVERY)
def test_whatever_is_asked_to_stop_hears_it_while_it_still_starts(name):
    """As process 1 it would not: the kernel drops a signal to that one where nothing heeds it."""
    assert SPECS[name]["shareProcessNamespace"] is True


def test_all_have_the_time_to_finish():
    """More than gunicorn lets requests take, and than a job may until it is killed."""
    units = DEPLOY / "systemd"
    for name in ("web", "worker", "scheduler"):
        stop = re.search(
            r"TimeoutStopSec=(\d+)s", (units / f"marketplace-{name}.service").read_text()
        )
        assert SPECS[name]["terminationGracePeriodSeconds"] == int(stop[1])


def test_nobody_talks_to_a_pod_but_the_ingress_and_what_gathers_metrics():
    policies = of_kind("NetworkPolicy")
    assert policies["marketplace-nobody"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    opened = [name for name, each in policies.items() if each["spec"].get("ingress")]
    assert opened == ["marketplace-web", "marketplace-worker"]
    (to_worker,) = policies["marketplace-worker"]["spec"]["ingress"]
    assert to_worker["ports"] == [{"port": "metrics"}]
    (source,) = to_worker["from"]
    assert source["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "monitoring"
    }


def test_whoever_has_the_back_ups_reaches_postgresql_and_nothing_else():
    policies = {name: each["spec"] for name, each in of_kind("NetworkPolicy").items()}
    out = [name for name, each in policies.items() if each.get("egress")]
    assert out == ["marketplace-out", "marketplace-back-up"]
    for name, operator in zip(out, ("NotIn", "In"), strict=True):
        assert policies[name]["podSelector"] == {
            "matchLabels": {"app.kubernetes.io/name": "marketplace"},
            "matchExpressions": [{"key": COMPONENT, "operator": operator, "values": OF_BACK_UPS}],
        }
    for name in EVERY:
        labels = pod_of(PODS[name])["metadata"]["labels"]
        assert labels == {"app.kubernetes.io/name": "marketplace", COMPONENT: name}
    ports = [
        (each["port"], each.get("protocol", "TCP"))
        for rule in policies["marketplace-back-up"]["egress"]
        for each in rule["ports"]
    ]
    assert ports == [(53, "UDP"), (53, "TCP"), (5432, "TCP")]


def test_a_back_up_is_dumped_by_who_knows_one_address_and_noted_by_who_cannot_change_it():
    (dump,) = SPECS["back-up"]["initContainers"]
    (note,) = SPECS["back-up"]["containers"]
    (restore,) = SPECS["restore"]["containers"]
    assert dump["command"] == ["/opt/back-up/dump"]
    assert mounts_of(dump) == {"/opt/back-up": True, "/backups": False}
    assert mounts_of(note) == {"/tmp": False, "/backups": True}
    assert mounts_of(restore) == {"/opt/back-up": True, "/backups": True}
    for container, secret in ((dump, "marketplace-secrets"), (restore, "marketplace-migrate")):
        assert container["image"] == POSTGRES
        assert "envFrom" not in container
        (given,) = container["env"]
        assert given["name"] == "MARKETPLACE_DATABASE_URL"
        assert given["valueFrom"]["secretKeyRef"]["name"] == secret
    program, *words = note["command"][-1].replace('"$(cat /backups/as-of)"', MOMENT).split()
    assert program == "marketplace"
    assert is_a_command(words)
    for name in OF_BACK_UPS:
        volumes = {each["name"]: each for each in SPECS[name]["volumes"]}
        claimed = volumes["backups"]["persistentVolumeClaim"]["claimName"]
        assert claimed in of_kind("PersistentVolumeClaim")
        assert volumes["scripts"]["configMap"]["defaultMode"] == 0o555


def test_a_back_up_is_taken_once_a_night_and_is_through_before_the_next():
    often = PODS["back-up"]["spec"]
    timer = (DEPLOY / "systemd" / "marketplace-back-up.timer").read_text()
    minute, hour, *others = often["schedule"].split()
    assert others == ["*", "*", "*"]
    assert f"OnCalendar=*-*-* {hour:0>2}:{minute:0>2}:00 UTC" in timer
    assert often["timeZone"] == "Etc/UTC"
    assert often["concurrencyPolicy"] == "Forbid"
    job = often["jobTemplate"]["spec"]
    assert often["startingDeadlineSeconds"] + job["activeDeadlineSeconds"] < 86_400
    assert SPECS["back-up"]["restartPolicy"] == "Never"
    assert job["backoffLimit"] > 0
    kept = often["successfulJobsHistoryLimit"], often["failedJobsHistoryLimit"]
    assert max(kept) <= 2
    assert min(kept) > 0
    assert often["suspend"] is False


def test_secrets_are_made_of_the_files_as_the_readme_says(tmp_path):
    secrets_for(tmp_path / "etc", "postgres.example", "redis.example")
    readme = (DEPLOY / "README.md").read_text()
    # the lines of the README, in bash, without a cluster
    lines = re.findall(r"^kubectl .*create secret generic .*$", readme, flags=re.M)
    assert len(lines) == 2
    tool("kubectl")
    for line, name in zip(lines, ("secrets", "migrate"), strict=True):
        dry = line.replace("/etc/marketplace", str(tmp_path / "etc"))
        made = run(shutil.which("bash"), "-c", f"{dry} --dry-run=client --output yaml", cwd=ROOT)
        assert made.returncode == 0, made.stderr
        (secret,) = documents(made.stdout)
        wanted = read_env((tmp_path / "etc" / f"{name}.env").read_text())
        assert secret["metadata"]["name"] == f"marketplace-{name}"
        assert {k: b64decode(v).decode() for k, v in secret["data"].items()} == wanted
