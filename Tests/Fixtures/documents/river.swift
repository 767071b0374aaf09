import Foundation

/// Flow of a river.
func discharge(width: Double, depth: Double) -> Double {
    let area = width * depth

    return area * 2
}

func level() -> Int { 3 }
