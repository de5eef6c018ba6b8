#!/bin/sh
# Makes what OpenSSL writes, for the tests to read: sh make.sh
set -e
cd "$(dirname "$0")"
subj() { printf '/CN=%s' "$1"; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj "$(subj Root)" -days 36500 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj "$(subj Sub)" 2>/dev/null
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n' > ca.ext
openssl x509 -req -in sub.csr -CA ca.pem -CAkey ca.key -set_serial 2 -out sub.pem -days 36500 -extfile ca.ext 2>/dev/null
printf 'subjectAltName=DNS:www.example.com,IP:192.0.2.1\n' > leaf.ext
for kind in rsa ec; do
    if [ $kind = rsa ]; then openssl genrsa -out rsa.key 2048 2>/dev/null; else openssl ecparam -name prime256v1 -genkey -out ec.key; fi
    openssl req -new -key $kind.key -out $kind.csr -subj "$(subj leaf)"
    openssl x509 -req -in $kind.csr -CA sub.pem -CAkey sub.key -set_serial 4660 -out $kind.pem -days 36500 -extfile leaf.ext 2>/dev/null
done
cat ca.pem sub.pem > chain.pem
openssl crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7.pem
openssl crl2pkcs7 -nocrl -certfile chain.pem -outform DER -out chain.p7.der
for kind in rsa ec; do
    openssl pkcs12 -export -inkey $kind.key -in $kind.pem -certfile chain.pem -passout pass: -out $kind.p12
done
openssl pkcs12 -export -legacy -inkey rsa.key -in rsa.pem -certfile chain.pem -passout pass: -out rsa.legacy.p12
openssl pkcs12 -export -inkey rsa.key -in rsa.pem -certfile chain.pem -passout pass:secret -out rsa.secret.p12
openssl pkcs12 -export -inkey rsa.key -in rsa.pem -passout pass: -keypbe NONE -certpbe NONE -nomac -out rsa.plain.p12
openssl pkcs12 -export -inkey rsa.key -in rsa.pem -passout pass: -iter 2000000 -nomac -out rsa.slow.p12
openssl rsa -in rsa.key -traditional -out rsa.traditional.key 2>/dev/null
openssl rsa -in rsa.key -traditional -aes256 -passout pass:secret -out rsa.dek.key 2>/dev/null
openssl pkcs8 -topk8 -in rsa.key -passout pass:secret -out rsa.enc.key
openssl pkcs8 -topk8 -in ec.key -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout pass:secret -out ec.enc.key
openssl pkcs8 -topk8 -in ec.key -v2 des3 -passout pass:secret -out ec.des3.key
openssl pkcs8 -topk8 -in ec.key -v1 PBE-SHA1-3DES -passout pass:secret -out ec.v1.key
openssl pkcs8 -topk8 -in ec.key -nocrypt -outform DER -out ec.key.der
openssl x509 -in ec.pem -outform DER -out ec.der
openssl genpkey -algorithm ed25519 -out ed.key
openssl req -x509 -key ed.key -out ed.pem -subj "$(subj ed)" -days 36500
openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -subj "$(subj weak)" -days 36500 2>/dev/null
: > index.txt; echo 01 > crlnumber
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=36500\n' > ca.conf
openssl ca -config ca.conf -gencrl -keyfile ca.key -cert ca.pem -out ca.crl.pem 2>/dev/null
openssl crl -in ca.crl.pem -outform DER -out ca.crl.der
rm -f *.csr *.ext index.txt* crlnumber* ca.conf sub.key ca.key
