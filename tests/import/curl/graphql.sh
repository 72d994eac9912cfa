curl -sS -X POST https://api.git.example/graphql -H "Authorization: bearer s3cr3t-token" -d '{"query": "query { viewer { login }}"}'
