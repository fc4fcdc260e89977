{{/* Fixed: one cluster has one operator, and its account is named by the admission policies. */}}
{{- define "offboarding.name" -}}customer-offboarding-operator{{- end }}

{{/* Without the release's name: a selector never changes, a release may be made anew under another one. */}}
{{- define "offboarding.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{- end }}

{{- define "offboarding.labels" -}}
{{ include "offboarding.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: customer-offboarding
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* With these gone, so are records, or what makes an approval mean something: neither Helm nor Argo CD nor Flux takes them away. */}}
{{- define "offboarding.kept" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false,Delete=false
kustomize.toolkit.fluxcd.io/prune: disabled
{{- end }}

{{/* An object of files/, with our labels; and, where `kept`, the marks. */}}
{{- define "offboarding.object" -}}
{{- $metadata := .object.metadata }}
{{- $labels := merge (dict) (default (dict) $metadata.labels) (fromYaml (include "offboarding.labels" .root)) }}
{{- $annotations := default (dict) $metadata.annotations }}
{{- if .kept }}
{{- $annotations = merge (dict) $annotations (fromYaml (include "offboarding.kept" .root)) }}
{{- end }}
{{- $_ := set $metadata "labels" $labels }}
{{- if $annotations }}
{{- $_ := set $metadata "annotations" $annotations }}
{{- end -}}
---
{{ toYaml .object }}
{{ end }}

{{- define "offboarding.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What the flags are set to, as a list of environment variables; without those that the user sets. */}}
{{- define "offboarding.env" -}}
{{- $operator := .Values.operator }}
{{- $env := list (dict "name" "OPERATOR_NAMESPACE" "value" .Release.Namespace) }}
{{- with .Values.watchNamespaces }}{{ $env = append $env (dict "name" "WATCH_NAMESPACES" "value" (join "," .)) }}{{ end }}
{{- with $operator.allowedCIDRs }}{{ $env = append $env (dict "name" "ALLOWED_CIDRS" "value" (join "," .)) }}{{ end }}
{{- $env = append $env (dict "name" "SEND_DEADLINE" "value" $operator.sendDeadline) }}
{{- $env = append $env (dict "name" "REQUEST_DEADLINE" "value" $operator.requestDeadline) }}
{{- with $operator.destructiveRate }}{{ $env = append $env (dict "name" "DESTRUCTIVE_RATE" "value" (toString (int .))) }}{{ end }}
{{- $env = append $env (dict "name" "LEASE_DURATION" "value" $operator.lease.duration) }}
{{- $env = append $env (dict "name" "RENEW_DEADLINE" "value" $operator.lease.renewDeadline) }}
{{- $env = append $env (dict "name" "RETRY_PERIOD" "value" $operator.lease.retryPeriod) }}
{{- $env = append $env (dict "name" "LOG_FORMAT" "value" $operator.logFormat) }}
{{- $env = append $env (dict "name" "LOG_LEVEL" "value" $operator.logLevel) }}
{{- $env = append $env (dict "name" "PROBE_ADDRESS" "value" (printf "0.0.0.0:%d" (int .Values.probes.port))) }}
{{- if .Values.metrics.enabled }}
{{- $env = append $env (dict "name" "METRICS_ADDRESS" "value" (printf "0.0.0.0:%d" (int .Values.metrics.port))) }}
{{- if .Values.metrics.certificateSecret }}
{{- $env = append $env (dict "name" "METRICS_CERTIFICATE" "value" "/etc/offboarding/metrics/tls.crt") }}
{{- $env = append $env (dict "name" "METRICS_KEY" "value" "/etc/offboarding/metrics/tls.key") }}
{{- end }}
{{- end }}
{{- with $operator.egressProxy }}{{ $env = append $env (dict "name" "EGRESS_PROXY" "value" .) }}{{ end }}
{{- if $operator.egressProxySecret }}{{ $env = append $env (dict "name" "EGRESS_PROXY_CREDENTIALS" "value" "/etc/offboarding/proxy/credentials") }}{{ end }}
{{- with $operator.otlpEndpoint }}{{ $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .) }}{{ end }}
{{- $own := list }}
{{- range .Values.extraEnv }}
{{- if has .name $own }}{{ fail (printf "extraEnv: %s is there twice; which of them counts is undefined" .name) }}{{ end }}
{{- $own = append $own .name }}
{{- end }}
{{- $all := list }}
{{- range $env }}{{ if not (has .name $own) }}{{ $all = append $all . }}{{ end }}{{ end }}
{{- toYaml (concat $all .Values.extraEnv) }}
{{- end }}

{{/* A monitor is rendered where its kind is served. */}}
{{- define "offboarding.serves" -}}
{{- if .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) }}yes{{ end }}
{{- end }}
