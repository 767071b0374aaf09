/// Sentences of several kinds for a first look at a model, where a person names none.
enum SampleTexts {
    static let all = [
        "The cat sleeps on the warm windowsill.",
        "How do I reset my password if I no longer have access to my email?",
        "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
        "The committee postponed its decision until the budget figures are published.",
        "def add(a, b): return a + b",
        "SELECT name, price FROM products WHERE stock > 0 ORDER BY price;",
        "Die Würde des Menschen ist unantastbar.",
        "La bibliothèque est fermée le dimanche.",
        "東京は日本の首都です。",
        "Invoice 2024-0173: 3 items, total 148.90 EUR, due within 30 days.",
        "The patient reports chest pain that began two hours ago.",
        "A tree is a connected graph without cycles.",
        "Preheat the oven to 180 degrees and grease the pan.",
        "error: cannot open shared object file: No such file or directory",
        "I did not say that she stole the money.",
        "Two dogs are running through a field of snow.",
        "The treaty was signed in 1648 and ended the Thirty Years' War.",
        "Shares fell by 4.2 percent after the company lowered its forecast.",
        "Please find attached the minutes of Thursday's meeting.",
        "to be or not to be",
        "Why is the sky blue?",
        "The derivative of sin x is cos x.",
        "42",
        "Unbelievably, the antidisestablishmentarianists reorganized themselves.",
    ]
}
