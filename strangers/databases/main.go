// The tests of this module hold package outbox on SQLite and PostgreSQL.
package main

func main() {}
