extension StringProtocol {
    /// Without what would steer a terminal or break a line: names of files may hold anything.
    var singleLine: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    scalar.properties.generalCategory == .control ? " " : scalar
                }))
    }
}
