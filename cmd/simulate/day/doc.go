// Package day reads, makes and writes one day of a delivery business in the format of the public Meal Delivery Routing Problem
// instances (Reyes, Erera, Savelsbergh, Sahasrabudhe, O'Neil: The Meal Delivery Routing Problem, 2018, and the anonymised Grubhub
// instances published with it): four tab-separated files with metres and minutes.
package day
