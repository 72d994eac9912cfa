{{- define "prober.name" -}}
{{- if contains "prober" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-prober" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "prober.selector" -}}
app.kubernetes.io/name: prober
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prober.labels" -}}
{{ include "prober.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}


{{- /* The name of a part: the chart's own, that of the hubs, or that of the agents of a region. */}}
{{- define "prober.part" -}}
{{- $name := include "prober.name" .root -}}
{{- if eq .role "hub" -}}
{{- printf "%s-hub" $name -}}
{{- else if eq .role "agent" -}}
{{- printf "%s-agent-%s" $name (.region | lower | replace "_" "-") | trunc 58 | trimSuffix "-" -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- define "prober.role" -}}
app.kubernetes.io/component: {{ .role | default "prober" }}
{{- if eq .role "agent" }}
prober/region: {{ .region | quote }}
{{- end }}
{{- end -}}

{{- define "prober.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "prober.files" -}}
{{ .Values.existingConfigMap | default (printf "%s-project" (include "prober.name" .)) }}
{{- end -}}
