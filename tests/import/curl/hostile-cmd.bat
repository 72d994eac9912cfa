curl ^"https://shop.example/^" ^
  -H ^"authorization: Bearer s3cr3t-cmd^"
