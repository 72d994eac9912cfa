#!/bin/sh
set -eu
# As GitHub's documentation of its API writes commands.
curl -L \
  -H "Accept: application/vnd.github+json" \
  -H "Authorization: Bearer s3cr3t-ghp" \
  -H "X-GitHub-Api-Version: 2022-11-28" \
  https://api.github.example/repos/OWNER/REPO/issues \
  -d '{"title":"Found a bug","body":"I'\''m having a problem with this.","assignees":["octocat"],"labels":["bug"]}'
curl --include --request GET --url "https://api.github.example/octocat" --header "Accept: application/vnd.github+json"
curl -s https://api.github.example/rate_limit | jq .rate.remaining
curl -sSf -o /dev/null -w '%{http_code}\n' "https://api.github.example/zen"
