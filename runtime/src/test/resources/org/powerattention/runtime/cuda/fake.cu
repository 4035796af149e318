// Stands for a generated source where the compiler is a fake.
