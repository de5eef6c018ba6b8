// Package contract runs the suite of the contract with providers, package providertest, on providers with their real
// data planes.
package contract
