curl -X POST https://api.shop.example/orders -H 'Content-Type: application/json' -d @- <<'EOF'
{ "sku": "TEA", "token": "s3cr3t-heredoc" }
EOF
curl https://api.shop.example/after
