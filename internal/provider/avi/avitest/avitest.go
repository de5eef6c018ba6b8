// Package avitest is an Avi Vantage Controller for tests and rehearsals: its REST API as recorded controllers answered, without service
// engines. It shares no code with the provider.
package avitest
