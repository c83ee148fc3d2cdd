{{- define "gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gateway.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of an object; those of the chart win. Takes (dict "root" $ "component" "worker" "more" .labels). */}}
{{- define "gateway.labels" -}}
{{- $labels := include "gateway.selector" . | fromYaml -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- merge $labels (.more | default dict) .root.Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The image of a component, with its own tag during an upgrade in two steps. Takes root and component. */}}
{{- define "gateway.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := (index .root.Values .component).imageTag -}}
{{- if $own -}}
{{- printf "%s:%s" $image.repository $own -}}
{{- else if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The most processes of ingress at the same time; a rolling update adds one. */}}
{{- define "gateway.mostIngresses" -}}
{{- add 1 (ternary (int .Values.ingress.autoscaling.maxReplicas) (int .Values.ingress.replicas) .Values.ingress.autoscaling.enabled) -}}
{{- end -}}

{{/* The most processes that can call Collate at the same time. */}}
{{- define "gateway.callingProcesses" -}}
{{- add (include "gateway.mostIngresses" .) (include "gateway.mostWorkers" .) -}}
{{- end -}}

{{/* The replicas of a component. An autoscaler's number is kept: without one, Kubernetes would set 1 at the upgrade that
     switches the autoscaler on. Takes root, component, kind and isScaled. */}}
{{- define "gateway.replicas" -}}
{{- if .isScaled -}}
{{- $name := printf "%s-%s" (include "gateway.fullname" .root) .component -}}
{{- with (lookup "apps/v1" .kind .root.Release.Namespace $name).spec -}}
replicas: {{ .replicas }}
{{- end -}}
{{- else -}}
replicas: {{ (index .root.Values .component).replicas }}
{{- end -}}
{{- end -}}

{{- define "gateway.mostWorkers" -}}
{{- ternary (int .Values.worker.keda.maxReplicas) (int .Values.worker.replicas) .Values.worker.keda.enabled -}}
{{- end -}}

{{/* A setting's value for its environment variable. toJson, because a number may arrive as 1e+06. */}}
{{- define "gateway.value" -}}
{{- if kindIs "slice" . -}}{{ join "," . }}{{- else if kindIs "string" . -}}{{ . }}{{- else -}}{{ toJson . }}{{- end -}}
{{- end -}}

{{/* The settings of a process: of `settings` the sections that it reads, then its own over them. So a new setting of another
     process neither restarts it nor meets an image that does not know it. Ingress also reads three settings of the
     others. tests/chart/test_settings.py compares the sections with the code. Takes root and component. */}}
{{- define "gateway.settings" -}}
{{- $common := list "environment" "kafka" "topics" "log" "admin" -}}
{{- $reads := dict
  "ingress" (concat $common (list "traces" "collate" "ingress" "readmodel"))
  "worker" (concat $common (list "traces" "collate" "worker" "watch"))
  "projector" (append $common "readmodel")
  "deliverer" (append $common "deliverer")
  "console" (list "environment" "log" "admin" "console")
  "topics" (without $common "admin")
  "promises" (without $common "admin")
-}}
{{- $sections := index $reads .component -}}
{{- $shared := .root.Values.settings -}}
{{- $own := (index .root.Values .component).settings -}}
{{- range $name := keys $own | sortAlpha -}}
{{- if not (has $name $sections) -}}
{{- fail (printf "%s.settings.%s: this process reads only %s" $.component $name (join ", " (sortAlpha $sections))) -}}
{{- end -}}
{{- end -}}
{{- $settings := dict -}}
{{- range $name := $sections -}}
{{- if hasKey $shared $name -}}{{- $_ := set $settings $name (index $shared $name) -}}{{- end -}}
{{- end -}}
{{- if eq .component "ingress" -}}
{{- $ofWorker := mergeOverwrite (deepCopy $shared) (deepCopy .root.Values.worker.settings) -}}
{{- $_ := set $settings "worker" (pick (default dict $ofWorker.worker) "group" "read_ahead") -}}
{{- $_ := set $settings "watch" (pick (default dict $ofWorker.watch) "forget_after") -}}
{{- end -}}
{{- toJson (mergeOverwrite (deepCopy $settings) (deepCopy $own)) -}}
{{- end -}}

{{/* The variables of a container with a fixed value, by name, as JSON: its settings, its files, its Kafka user. They are part
     of the pod, not a ConfigMap: a pod of the previous revision that starts again has the previous settings. */}}
{{- define "gateway.environment" -}}
{{- $values := .root.Values -}}
{{- $found := dict -}}
{{- range $section, $settings := include "gateway.settings" . | fromJson -}}
{{- if kindIs "map" $settings -}}
{{- range $name, $value := $settings -}}
{{- $_ := set $found (printf "GATEWAY_%s__%s" (upper $section) (upper $name)) (include "gateway.value" $value) -}}
{{- end -}}
{{- else -}}
{{- $_ := set $found (printf "GATEWAY_%s" (upper $section)) (include "gateway.value" $settings) -}}
{{- end -}}
{{- end -}}
{{- $computed := dict -}}
{{- if has .component (list "ingress" "worker") -}}
{{- $_ := set $computed "GATEWAY_COLLATE__MAX_REPLICAS" (include "gateway.callingProcesses" .root) -}}
{{- with dig "limits" "memory" "" .root.Values.worker.resources -}}{{- $_ := set $found "GATEWAY_WORKER__MEMORY_LIMIT" (printf "%vB" .) -}}{{- end -}}
{{- end -}}
{{- if eq .component "ingress" -}}
{{- $_ := set $computed "GATEWAY_INGRESS__MAX_REPLICAS" (include "gateway.mostIngresses" .root) -}}
{{- $_ := set $found "GATEWAY_INGRESS__PORT" "8080" -}}
{{- if $values.deliverer.enabled -}}
{{- $name := printf "%s-deliverer" (include "gateway.fullname" .root) -}}
{{- $urls := list -}}
{{- range $number := until (int $values.deliverer.replicas) -}}
{{- $urls = append $urls (printf "http://%s-%d.%s:9090" $name $number $name) -}}
{{- end -}}
{{- $_ := set $found "GATEWAY_DELIVERER__ADMIN_URLS" (join "," $urls) -}}
{{- end -}}
{{- end -}}
{{- if eq .component "console" -}}
{{- $_ := set $computed "GATEWAY_CONSOLE__API_URL" (printf "http://%s-ingress:%d" (include "gateway.fullname" .root) (int $values.service.port)) -}}
{{- $_ := set $found "GATEWAY_CONSOLE__PORT" "8090" -}}
{{- end -}}
{{- if has .component (list "ingress" "worker" "deliverer" "console") -}}
{{- $_ := set $found (printf "GATEWAY_%s__STOP_DEADLINE" (upper .component)) (printf "%ds" (int (index $values .component).stopSeconds)) -}}
{{- end -}}
{{- if not (has .component (list "topics" "promises")) -}}{{- $_ := set $found "GATEWAY_ADMIN__PORT" "9090" -}}{{- end -}}
{{- range $setting, $key := include "gateway.secretFiles" . | fromJson -}}
{{- $_ := set $found $setting (printf "/etc/gateway/secrets/%s" $key) -}}
{{- end -}}
{{- range $setting, $key := include "gateway.kafkaFiles" . | fromJson -}}
{{- $_ := set $found $setting (printf "/etc/gateway/kafka/%s" $key) -}}
{{- end -}}
{{- $login := include "gateway.kafka" . | fromJson -}}
{{- with $login.files.ca -}}{{- $_ := set $found "GATEWAY_KAFKA__CA_FILE" (printf "/etc/gateway/kafka/%s" .) -}}{{- end -}}
{{- if $login.serviceAccountToken.enabled -}}
{{- $_ := set $found "GATEWAY_KAFKA__TOKEN_FILE" "/etc/gateway/kafka/service-account-token" -}}
{{- end -}}
{{- with $login.username -}}{{- $_ := set $found "GATEWAY_KAFKA__USERNAME" . -}}{{- end -}}
{{- with $login.oauthClientId -}}{{- $_ := set $found "GATEWAY_KAFKA__OAUTH_CLIENT_ID" . -}}{{- end -}}
{{- toJson (merge $found $computed) -}}
{{- end -}}

{{/* The Kafka login of one process: the common values and its overrides. Takes root and component. */}}
{{- define "gateway.kafka" -}}
{{- if eq .component "console" -}}
{{- /* It has none. */ -}}
{{- dict "files" dict "serviceAccountToken" (dict "enabled" false) | toJson -}}
{{- else -}}
{{- $own := (index .root.Values .component).kafka | default dict -}}
{{- $login := mergeOverwrite (deepCopy .root.Values.kafka) (deepCopy $own) -}}
{{- $_ := set $login "existingSecret" (default .root.Values.secrets.existingSecret $login.existingSecret) -}}
{{- toJson $login -}}
{{- end -}}
{{- end -}}

{{/* The gateway's own secrets that a component opens, as key and file name. */}}
{{- define "gateway.secretFiles" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $files := dict -}}
{{- if has .component (list "ingress" "worker") -}}
{{- $_ := set $files "GATEWAY_COLLATE__API_KEY_FILE" $secrets.collateApiKey -}}
{{- $_ := set $files "GATEWAY_TOPICS__PHI_KEY_FILE" $secrets.phiKeys -}}
{{- if $secrets.collateCa -}}{{- $_ := set $files "GATEWAY_COLLATE__CA_FILE" $secrets.collateCa -}}{{- end -}}
{{- if $secrets.collateProxyCredentials -}}
{{- $_ := set $files "GATEWAY_COLLATE__PROXY_CREDENTIALS_FILE" $secrets.collateProxyCredentials -}}
{{- end -}}
{{- end -}}
{{- if and (eq .component "ingress") $secrets.jwksProxyCredentials -}}
{{- $_ := set $files "GATEWAY_INGRESS__JWKS_PROXY_CREDENTIALS_FILE" $secrets.jwksProxyCredentials -}}
{{- end -}}
{{- if eq .component "ingress" -}}{{- $_ := set $files "GATEWAY_INGRESS__CALLERS_FILE" $secrets.callers -}}{{- end -}}
{{- if eq .component "console" -}}
{{- with $secrets.cookieKey -}}{{- $_ := set $files "GATEWAY_CONSOLE__COOKIE_KEY_FILE" . -}}{{- end -}}
{{- with $secrets.oidcClientSecret -}}{{- $_ := set $files "GATEWAY_CONSOLE__OIDC_CLIENT_SECRET_FILE" . -}}{{- end -}}
{{- end -}}
{{- if eq .component "worker" -}}{{- $_ := set $files "GATEWAY_WORKER__DIGEST_KEY_FILE" $secrets.digestKey -}}{{- end -}}
{{- if and .root.Values.deliverer.enabled (has .component (list "deliverer" "topics")) -}}
{{- $_ := set $files "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE" $secrets.subscriptions -}}
{{- end -}}
{{- if and .root.Values.projector.enabled (has .component (list "ingress" "projector")) -}}
{{- $_ := set $files "GATEWAY_READMODEL__DSN_FILE" $secrets.database -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* Kafka's files that a component opens, by the setting that names each. */}}
{{- define "gateway.kafkaFiles" -}}
{{- $login := include "gateway.kafka" . | fromJson -}}
{{- $settings := dict "password" "PASSWORD_FILE" "certificate" "CERTIFICATE_FILE" "privateKey" "KEY_FILE" "token" "TOKEN_FILE" "oauthClientSecret" "OAUTH_CLIENT_SECRET_FILE" -}}
{{- $files := dict -}}
{{- range $name, $setting := $settings -}}
{{- with index $login.files $name -}}{{- $_ := set $files (printf "GATEWAY_KAFKA__%s" $setting) . -}}{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* The environment of a container. extraEnv replaces a setting of the same name. Takes root and component. */}}
{{- define "gateway.containerEnvironment" -}}
{{- $extra := include "gateway.extra" (dict "root" .root "component" .component "name" "extraEnv") | fromJsonArray -}}
{{- $environment := include "gateway.environment" . | fromJson -}}
{{- range $extra -}}{{- $_ := unset $environment .name -}}{{- end -}}
env:
  {{- range $name, $value := $environment }}
  - name: {{ $name }}
    value: {{ $value | replace "$(" "$$(" | quote }}
  {{- end }}
  {{- if has .component (list "worker" "deliverer") }}
  # The pod's name: unique in the group, and the same after a restart.
  - name: GATEWAY_{{ upper .component }}__INSTANCE
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- end }}
  {{- with $extra }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The entries of an extra… list: those of all pods, then the component's own. Takes root, component and name. */}}
{{- define "gateway.extra" -}}
{{- $own := index (index .root.Values .component) .name | default list -}}
{{- toJson (concat (index .root.Values .name) $own) -}}
{{- end -}}

{{/* What a Job's immutable pod has in addition, for the hash in its name. */}}
{{- define "gateway.podExtras" -}}
{{- $of := . -}}
{{- range $name := list "extraEnv" "extraVolumes" "extraVolumeMounts" -}}
{{- include "gateway.extra" (dict "root" $of.root "component" $of.component "name" $name) -}}
{{- end -}}
{{- $values := .root.Values -}}
{{- toJson (list $values.podSecurityContext $values.securityContext $values.commonLabels $values.imagePullSecrets .root.Chart.Version .root.Chart.AppVersion) -}}
{{- end -}}

{{- define "gateway.volumeMounts" -}}
volumeMounts:
  {{- if include "gateway.secretFiles" . | fromJson }}
  - name: secrets
    mountPath: /etc/gateway/secrets
    readOnly: true
  {{- end }}
  {{- if ne .component "console" }}
  - name: kafka
    mountPath: /etc/gateway/kafka
    readOnly: true
  {{- end }}
  {{- with include "gateway.extra" (dict "root" .root "component" .component "name" "extraVolumeMounts") | fromJsonArray }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Whole directories, never subPath: only directories follow a changed Secret. */}}
{{- define "gateway.volumes" -}}
{{- $login := include "gateway.kafka" . | fromJson -}}
{{- $own := include "gateway.secretFiles" . | fromJson -}}
{{- $files := include "gateway.kafkaFiles" . | fromJson -}}
volumes:
  {{- if $own }}
  - name: secrets
    secret:
      secretName: {{ .root.Values.secrets.existingSecret }}
      defaultMode: 0440
      items:
        {{- range $_, $key := $own }}
        - key: {{ $key }}
          path: {{ $key }}
        {{- end }}
        {{- if eq .component "ingress" }}
        {{- range .root.Values.secrets.callersFiles }}
        - key: {{ . }}
          path: {{ . }}
        {{- end }}
        {{- end }}
        {{- if eq .component "deliverer" }}
        {{- range .root.Values.secrets.webhookFiles }}
        - key: {{ . }}
          path: {{ . }}
        {{- end }}
        {{- end }}
  {{- end }}
  {{- if ne .component "console" }}
  - name: kafka
    projected:
      defaultMode: 0440
      sources:
        {{- if $files }}
        - secret:
            name: {{ $login.existingSecret }}
            items:
              {{- range $_, $key := $files }}
              - key: {{ $key }}
                path: {{ $key }}
              {{- end }}
        {{- end }}
        {{- with $login.files.ca }}
        - secret:
            name: {{ default $login.existingSecret $login.caExistingSecret }}
            items:
              - key: {{ . }}
                path: {{ . }}
        {{- end }}
        {{- if $login.serviceAccountToken.enabled }}
        - serviceAccountToken:
            path: service-account-token
            audience: {{ $login.serviceAccountToken.audience }}
            expirationSeconds: {{ int $login.serviceAccountToken.expirationSeconds }}
        {{- end }}
        {{- if not (or $files $login.files.ca $login.serviceAccountToken.enabled) }}
        []
        {{- end }}
  {{- end }}
  {{- with include "gateway.extra" (dict "root" .root "component" .component "name" "extraVolumes") | fromJsonArray }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gateway.podSecurity" -}}
serviceAccountName: {{ include "gateway.serviceAccount" . }}
automountServiceAccountToken: false
# A Service named gateway would add GATEWAY_PORT and others to the environment, and unknown GATEWAY_ keys are fatal.
enableServiceLinks: false
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gateway.containerSecurity" -}}
image: {{ include "gateway.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gateway.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ mul (int .Values.probes.startupMinutes) 12 }}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* The spread of a component's pods over zones and nodes. Takes root and component. */}}
{{- define "gateway.spread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "gateway.selector" . | fromYaml)) -}}
{{- $own := index .root.Values .component -}}
{{- $spread := $own.topologySpreadConstraints -}}
{{- if not $spread -}}
{{- /* Not the zone too: on nodes without a zone the scheduler then ignores all constraints. */ -}}
{{- $spread = list (dict "topologyKey" "kubernetes.io/hostname" "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- if not $own.affinity -}}
{{- $zone := merge (dict "topologyKey" "topology.kubernetes.io/zone") $selector -}}
{{- $preferred := list (dict "weight" 100 "podAffinityTerm" $zone) -}}
{{- dict "affinity" (dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" $preferred)) | toYaml }}
{{ end -}}
{{- end -}}
topologySpreadConstraints:
  {{- range $spread }}
  - {{- toYaml (merge (deepCopy .) (ternary dict $selector (hasKey . "labelSelector"))) | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The nodes of pods. Takes the values of a component, or `jobs`. */}}
{{- define "gateway.placement" -}}
{{- $placement := dict -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- with index $ $name -}}{{- $_ := set $placement $name . -}}{{- end -}}
{{- end -}}
{{- with $placement -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{- define "gateway.podMetadata" -}}
{{- $own := index .root.Values .component -}}
labels:
  {{- include "gateway.labels" (dict "root" .root "component" .component "more" $own.podLabels) | nindent 2 }}
{{- with $own.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A budget of one component. AlwaysAllow: while Kafka is away no pod is ready, and a drain must not wait for that. */}}
{{- define "gateway.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "gateway.fullname" .root }}-{{ .component }}
  labels:
    {{- include "gateway.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ (index .root.Values .component).disruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "gateway.selector" . | nindent 6 }}
{{- end -}}
