{{- /*
One StatefulSet: of the prober that serves, of hubs, or of the agents of a region.

  root     the chart
  role     "", hub or agent; region: the agents' region
  args     what the program is told
  replicas how many pods, each with a store of its own
  of       where the pods go: nodeSelector, affinity, tolerations, resources of the region
*/}}
{{- define "prober.statefulset" }}
{{- $root := .root }}
{{- $values := .root.Values }}
{{- $name := include "prober.part" . }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}
  labels: {{- include "prober.labels" $root | nindent 4 }}
    {{- include "prober.role" . | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  serviceName: {{ include "prober.name" $root }}
  {{- if .role }}
  # Each has its own name and its own store: none waits for another one.
  podManagementPolicy: Parallel
  {{- end }}
  selector:
    matchLabels: {{- include "prober.selector" $root | nindent 6 }}
      {{- include "prober.role" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "prober.selector" $root | nindent 8 }}
        {{- include "prober.role" . | nindent 8 }}
      {{- if or $values.podAnnotations (not (or .role $values.git.repository)) }}
      annotations:
        {{- if not (or .role $values.git.repository) }}
        # Changed files are a new pod; with a ConfigMap of your own, send SIGHUP or restart it.
        checksum/files: {{ toYaml $values.files | sha256sum }}
        {{- end }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      # Work is handed over, runs in flight get 10 s, their teardowns 15 s.
      terminationGracePeriodSeconds: 60
      {{- with $values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: { type: RuntimeDefault }
        # Pings need no capability where the group may send them.
        sysctls: [{ name: net.ipv4.ping_group_range, value: "10001 10001" }]
      {{- if and $values.git.repository (not .role) }}
      initContainers:
        {{- include "prober.git" (dict "root" $root "once" true) | nindent 8 }}
      {{- end }}
      containers:
        - name: prober
          image: {{ include "prober.image" $root | quote }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          args: {{ toJson .args }}
          env:
            - name: PROBER_ID
              {{- if and $values.id (not .role) }}
              value: {{ $values.id | quote }}
              {{- else }}
              valueFrom: { fieldRef: { fieldPath: metadata.name } }
              {{- end }}
            - { name: PROBER_LOG, value: {{ $values.logLevel | quote }} }
            {{- if .role }}
            - { name: PROBER_FLEET, value: /run/fleet/login }
            - { name: PROBER_TRUST, value: /run/fleet/trusted-keys }
            {{- if $values.fleet.ca }}
            - { name: PROBER_FLEET_CA, value: /run/fleet/ca.crt }
            {{- end }}
            {{- else if $values.git.repository }}
            - { name: PROBER_PROJECT, value: {{ printf "/git/current/%s" $values.git.folder | trimSuffix "/" | quote }} }
            {{- end }}
          securityContext: &locked
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          # Kubernetes' own probes run inside: the pages are on the pod's loopback.
          {{- if not .role }}
          startupProbe:
            exec: { command: [prober, --quiet, doctor, --live] }
            periodSeconds: 5
            timeoutSeconds: 10
            failureThreshold: 60
          livenessProbe:
            exec: { command: [prober, --quiet, doctor, --live] }
            periodSeconds: 30
            timeoutSeconds: 10
            failureThreshold: 4
          {{- else }}
          # Who waits for the first scenario set has no pages yet, and waits as long as it takes.
          startupProbe:
            exec: { command: [prober, --quiet, doctor, --live] }
            periodSeconds: 10
            timeoutSeconds: 10
            failureThreshold: 100000
          livenessProbe:
            exec: { command: [prober, --quiet, doctor, --live] }
            periodSeconds: 30
            timeoutSeconds: 10
            failureThreshold: 4
          {{- end }}
          resources: {{- toYaml (.of.resources | default $values.resources) | nindent 12 }}
          volumeMounts:
            {{- if .role }}
            - { name: fleet, mountPath: /run/fleet, readOnly: true }
            {{- else if $values.git.repository }}
            - { name: git, mountPath: /git, readOnly: true }
            {{- else }}
            - { name: project, mountPath: /etc/prober, readOnly: true }
            {{- end }}
            - { name: data, mountPath: /data }
            {{- if $values.existingSecret }}
            - { name: secrets, mountPath: /run/secrets, readOnly: true }
            {{- end }}
        {{- if and $values.git.repository (not .role) }}
        {{- include "prober.git" (dict "root" $root "once" false) | nindent 8 }}
        {{- end }}
        - name: metrics
          image: {{ $values.metrics.image | quote }}
          args: [nginx, -c, /etc/prober-metrics/nginx.conf, -g, "daemon off;"]
          ports: [{ name: metrics, containerPort: {{ $values.metrics.port }} }]
          securityContext: *locked
          readinessProbe:
            httpGet: { path: /readyz, port: metrics }
            periodSeconds: 10
            timeoutSeconds: 5
          resources: {{- toYaml $values.metrics.resources | nindent 12 }}
          volumeMounts:
            - { name: metrics, mountPath: /etc/prober-metrics, readOnly: true }
            - { name: tmp, mountPath: /tmp }
      volumes:
        {{- if .role }}
        - name: fleet
          secret:
            secretName: {{ required "fleet.existingSecret: the name of a Secret with the files that `prober fleet init` writes" $values.fleet.existingSecret }}
            defaultMode: 0440
            items:
              - { key: {{ if eq .role "hub" }}hub{{ else }}agent-{{ .region }}{{ end }}, path: login }
              - { key: trusted-keys, path: trusted-keys }
              {{- if $values.fleet.ca }}
              - { key: ca.crt, path: ca.crt }
              {{- end }}
        {{- else if $values.git.repository }}
        - name: git
          emptyDir: { sizeLimit: 1Gi }
        {{- with $values.git.existingSecret }}
        - name: git-secret
          secret: { secretName: {{ . }}, defaultMode: 0440 }
        {{- end }}
        {{- else }}
        - name: project
          configMap: { name: {{ include "prober.files" $root }} }
        {{- end }}
        - name: metrics
          configMap: { name: {{ include "prober.name" $root }}-metrics }
        - name: tmp
          emptyDir: { sizeLimit: 64Mi }
        {{- if $values.existingSecret }}
        - name: secrets
          secret: { secretName: {{ $values.existingSecret }}, defaultMode: 0440 }
        {{- end }}
      {{- with .of.nodeSelector | default $values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .of.affinity | default $values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .of.tolerations | default $values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if gt (int .replicas) 1 }}
      # What is to take over when a machine dies is on another one.
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "prober.selector" $root | nindent 14 }}
              {{- include "prober.role" . | nindent 14 }}
      {{- end }}
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.persistence.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: { requests: { storage: {{ $values.persistence.size }} } }
{{- end }}

{{- /* git-sync, version 4: brings a repository into the pod, once before the prober starts, then again and again. */}}
{{- define "prober.git" -}}
{{- $git := .root.Values.git }}
- name: git{{ if .once }}-once{{ end }}
  image: {{ required "git.image: an image of git-sync 4, https://github.com/kubernetes/git-sync" $git.image | quote }}
  args:
    - --repo={{ $git.repository }}
    - --ref={{ $git.ref }}
    - --root=/git
    - --link=current
    - --depth=1
    {{- if .once }}
    - --one-time
    {{- else }}
    - --period={{ $git.period }}
    # Wrong files are refused and the plans from before go on; the page says why.
    - --webhook-url=http://127.0.0.1:9899/api/v1/reload
    - --webhook-method=POST
    {{- end }}
    {{- if $git.existingSecret }}
    - --ssh-key-file=/etc/git-secret/ssh
    - --ssh-known-hosts-file=/etc/git-secret/known_hosts
    {{- end }}
  env: [{ name: HOME, value: /tmp }]
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: { drop: [ALL] }
  resources: {{- toYaml $git.resources | nindent 4 }}
  volumeMounts:
    - { name: git, mountPath: /git }
    - { name: tmp, mountPath: /tmp }
    {{- if $git.existingSecret }}
    - { name: git-secret, mountPath: /etc/git-secret, readOnly: true }
    {{- end }}
{{- end -}}
