Invoke-WebRequest -UseBasicParsing -Uri "https://shop.example/" `
-Headers @{
"authorization"="Bearer s3cr3t-ps"
}
