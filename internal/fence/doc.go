// Package fence holds no code, only the tests that keep the repository in shape: who may import whom, which identifiers
// carry a doc comment, how long a file and a function may grow, and that the documents' links and programs hold.
//
// Each rule comes with a test that breaks it on purpose, so that a rule which no longer sees anything is noticed.
package fence
