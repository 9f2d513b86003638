package p2p

// RaceEnabled is raceEnabled for the tests outside of the package.
const RaceEnabled = raceEnabled
