module github.com/rnsdomains/rns-go-lib

go 1.13
