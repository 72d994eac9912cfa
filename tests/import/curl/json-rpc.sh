curl -sS --fail-with-body -X POST -H 'content-type: application/json' --data '{"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}' https://node.shop.example
curl --json '{"jsonrpc":"2.0","method":"rpc.discover","id":"a"}' --json '' http://localhost:8545 --max-time 3 --connect-timeout 1 --retry 2 --retry-connrefused
curl 'http://[::1]:8545/health?full' -g -4 --no-progress-meter
